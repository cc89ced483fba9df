"""The result type and the patterns that the detectors share."""

import re
from dataclasses import dataclass
from typing import Literal

MAX_CANDIDATES = 100
"""How many candidates of one kind are validated in one message."""

IN_URL = re.compile(r"://\S*\Z")
"""Matches text that ends inside a URL."""

_OTHER_FORM = re.compile("[\u3000\u3002\ufe6b\uff01-\uff5e\uff61]")
_ASCII_FORMS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: ord(" "),
    0x3002: ord("."),
    0xFE6B: ord("@"),
    0xFF61: ord("."),
}


def to_ascii_forms(text: str) -> str:
    """The text with the full-width forms of ASCII that Japanese and Chinese keyboards write, such
    as ＠ and ．, as ASCII. Positions stay the same."""
    return text.translate(_ASCII_FORMS) if _OTHER_FORM.search(text) else text


@dataclass(frozen=True, slots=True)
class DetectedField:
    """A detected value, normalised, and its position in the text."""

    field: Literal["name", "email", "phone"]
    value: str
    start: int
    end: int
