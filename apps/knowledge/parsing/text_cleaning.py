"""Clean the text of documents: what can be stored, shown and searched.

Documents hide characters that nobody sees (soft hyphens, marks of direction, tags) and use
characters for their looks (ligatures, presentation forms). A search for the word must find it, and
a hidden character must not carry text to a model.
"""

import re
import unicodedata

_SURROGATE = re.compile("[\ud800-\udfff]")
_LOOKS = re.compile("[\u2e80-\u2fd5\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufdff\ufe70-\ufefc]+")
"""Ligatures, Arabic and Hebrew presentation forms, and radicals that stand for ideographs."""
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
"""Zero-width joiners stay: Persian, Indic scripts and emoji need them."""
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SPACES = re.compile(r"\s+")
_END_OF_LINE = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


def clean_line(text: str) -> str:
    """The text on one line, with single spaces and none at its ends."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return _SPACES.sub(" ", _clean(text)).strip()


def clean_lines(text: str) -> str:
    """The text with its lines and their indentation, without empty lines at its ends."""
    lines = _clean(_END_OF_LINE.sub("\n", text)).expandtabs(4).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def without_surrogates(text: str) -> str:
    """The text with pairs of surrogates joined and U+FFFD for each one that stands alone."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _clean(text: str) -> str:
    text = without_surrogates(text)
    text = _CONTROL.sub(" ", text.replace("\x00", ""))
    text = _INVISIBLE.sub("", text)
    text = _LOOKS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return unicodedata.normalize("NFC", text)
