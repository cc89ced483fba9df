"""Make a model's text storable: valid Unicode, without NUL.

PostgreSQL rejects NUL in text, and a lone surrogate cannot be encoded as UTF-8. A provider that
splits its JSON between the halves of a `\\ud83d\\ude00` escape sends both in good faith, so a half
at the end of a piece waits for the next piece.
"""

import re

_INVALID = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


class TextSanitizer:
    """Sanitizes the pieces of one answer in order. Joined, they are the sanitized answer."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """Return the sanitized piece; a half character at its end is returned with the next."""
        if not self._half and not _INVALID.search(piece):
            return piece
        piece, self._half = self._half + piece, ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self._half = piece[:-1], piece[-1]
        return _sanitize(piece)

    def flush(self) -> str:
        """Return what still waits for its other half."""
        rest, self._half = self._half, ""
        return _sanitize(rest)


def _sanitize(text: str) -> str:
    # UTF-16 joins surrogates that belong together and replaces those that stand alone.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", _REPLACEMENT)
