"""Text that people and programs give: what can be kept and shown of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable


def single_line(max_length: int) -> Callable[[str], str]:
    """A check: one line of 1 to `max_length` characters, trimmed, that can be shown and kept."""

    def line(text: str) -> str:
        whole, text = text, unicodedata.normalize("NFC", text).strip()
        if not text or max(len(whole), len(text)) > max_length:
            raise ValueError(f"This must have 1 to {max_length} characters.")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValueError("This has a control character or half a surrogate pair in it.")
        return text

    return line


SINGLE_LINE_PATTERN = r"^[^{0}]*[^\s{0}][^{0}]*$".format(r"\u0000-\u001f\u007f-\u009f")
"""What `single_line` takes, but for its length, as a regular expression of the API's document."""


def require_storable(text: str) -> str:
    """A check: the text as it is, if PostgreSQL can keep it."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("This has a NUL or half a surrogate pair in it, which cannot be kept.")
    return text
