"""Check text from callers: what PostgreSQL can store and what can be sent back as UTF-8.

PostgreSQL refuses NUL in text, and half a surrogate pair, which JSON can carry, is no UTF-8.
"""

import re
import unicodedata
from collections.abc import Callable

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

NOT_STORABLE = "This has a NUL or half a surrogate pair in it, which cannot be kept."

SINGLE_LINE_PATTERN = r"^[^{0}]*[^\s{0}][^{0}]*$".format(r"\u0000-\u001f\u007f-\u009f")
"""A regular expression for what `single_line` accepts, apart from the length."""


def single_line(max_length: int) -> Callable[[str], str]:
    """A validator for one line of 1 to `max_length` characters without control characters.

    It returns the text trimmed and normalised (NFC). Raises ValueError.
    """

    def validate(text: str) -> str:
        original, text = text, unicodedata.normalize("NFC", text).strip()
        if not text or max(len(original), len(text)) > max_length:
            raise ValueError(f"This must have 1 to {max_length} characters.")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValueError("This has a control character or half a surrogate pair in it.")
        return text

    return validate


def require_storable(text: str) -> str:
    """Return the text if PostgreSQL can store it. Raises ValueError."""
    if "\0" in text or not is_encodable(text):
        raise ValueError(NOT_STORABLE)
    return text


def replace_unstorable(text: str) -> str:
    """The text with U+FFFD for each character that PostgreSQL cannot store."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_encodable(text: str) -> bool:
    """Whether the text can be sent as UTF-8: false for half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable_name(name: object) -> str:
    """The first 64 characters of a field name that a caller sent, safe to send back."""
    return str(name)[:64].encode("utf-8", "replace").decode()
