"""Check text from callers: what PostgreSQL can store and what can be sent back as UTF-8.

PostgreSQL refuses NUL in text, and half a surrogate pair, which JSON can carry, is no UTF-8.
"""

import re
import unicodedata
from collections.abc import Callable

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_LINKING = re.compile(r"[@:/\\]|(?<=\S)[.\u3002\u2024](?=\S)")
_MAX_NAME_IN_EMAIL = 60

NOT_STORABLE = "This has a NUL or half a surrogate pair in it, which cannot be kept."

_NUL = r"\u0000"
_DIRECTION_CONTROLS = r"\u202a-\u202e\u2066-\u2069"
"""They order the text around them: `\u202egnp.exe` is shown as `exe.png`."""
_NOT_ON_A_LINE = r"\u0000-\u001f\u007f-\u009f\u2028\u2029" + _DIRECTION_CONTROLS
_INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065"
    r"\u206a-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
)
"""What is shown as nothing, although much of it counts as a letter or a symbol."""


_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
"""Some are white space to Python, but not to ECMA-262, by which the API documents its patterns."""


def _pattern(excluded: str) -> str:
    """A regular expression for text without these characters, one of which can be seen."""
    return rf"[^{excluded}]*[^\s{_INVISIBLE}{_CONTROLS}{excluded}][^{excluded}]*"


NOT_BLANK_PATTERN = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
"""Text without NUL that is more than white space, in ECMA-262 as in Python."""


SINGLE_LINE_PATTERN = f"^{_pattern(_NOT_ON_A_LINE)}$"
"""What `single_line` accepts, apart from the length, and from text of combining characters."""
LEGIBLE_PATTERN = f"^({_pattern(_NUL + _DIRECTION_CONTROLS)})?$"
"""The same for `require_legible`, without NUL."""

_DIRECTION_CONTROL = re.compile(f"[{_DIRECTION_CONTROLS}]")
_INVISIBLE_CHARACTER = re.compile(rf"[\s{_INVISIBLE}\U0001bca0-\U0001bca3\U000e0000-\U000e0fff]")
_COMBINING_OR_CONTROL = ("M", "C")

CHANGES_DIRECTION = "This has a character that changes the direction of text."
NOT_VISIBLE = "This has no character that can be seen."


def single_line(max_length: int) -> Callable[[str], str]:
    """A validator for one line of 1 to `max_length` characters that people can read.

    It returns the text trimmed and normalised (NFC). Raises ValueError.
    """

    def validate(text: str) -> str:
        original, text = text, unicodedata.normalize("NFC", text).strip()
        if not text or max(len(original), len(text)) > max_length:
            raise ValueError(f"This must have 1 to {max_length} characters.")
        if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
            raise ValueError("This has a control character or half a surrogate pair in it.")
        return require_legible(text)

    return validate


def require_legible(text: str) -> str:
    """Return the text if it is empty, or can be seen and leaves the text around it as it is.

    Raises ValueError.
    """
    if _DIRECTION_CONTROL.search(text):
        raise ValueError(CHANGES_DIRECTION)
    if text and not is_visible(text):
        raise ValueError(NOT_VISIBLE)
    return text


def is_visible(text: str) -> bool:
    """Whether a character of the text can be seen by itself: a letter, a number, a sign, an emoji.

    Unassigned and private characters are, as boxes.
    """
    return any(
        unicodedata.category(character)[0] not in _COMBINING_OR_CONTROL
        or unicodedata.category(character) in ("Cn", "Co")
        for character in _INVISIBLE_CHARACTER.sub("", text)
    )


def without_direction_controls(text: str) -> str:
    """The text of somebody else, to be shown beside other text without reordering it."""
    return _DIRECTION_CONTROL.sub("", text)


def legible_file_name(name: str, *, default: str) -> str:
    """The name of a file that somebody uploaded, without what would hide or reverse it."""
    shown = "".join(
        character
        for character in unicodedata.normalize("NFC", name)
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ).strip()
    return shown if is_visible(shown) else default


def require_storable(text: str) -> str:
    """Return the text if PostgreSQL can store it. Raises ValueError."""
    if "\0" in text or not is_encodable(text):
        raise ValueError(NOT_STORABLE)
    return text


def replace_unstorable(text: str) -> str:
    """The text with U+FFFD for each character that PostgreSQL cannot store."""
    return _UNSTORABLE.sub("\ufffd", text)


def name_in_email(name: str) -> str:
    """A name that somebody chose, as one short line that no mail program turns into a link.

    Emails go to people who do not know its author. What links are made of is left out, between
    letters: `evil.example/x` becomes `evil example x`.
    """
    text = unicodedata.normalize("NFKC", name)
    visible = "".join(
        " " if character.isspace() or unicodedata.category(character) == "Cc" else character
        for character in text
        if unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn")
    )
    words = _LINKING.sub(" ", visible).split()
    short = " ".join(words)[:_MAX_NAME_IN_EMAIL].strip()
    return short or "(no name)"


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
