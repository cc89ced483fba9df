"""Making a model's text fit to store and send: valid Unicode, without NUL.

PostgreSQL refuses NUL in text, and a lone surrogate cannot be written as UTF-8. A provider that
cuts its JSON between the halves of a `\\ud83d\\ude00` escape sends both in good faith, so a half
at the end of a piece waits for the next piece.
"""

from __future__ import annotations

import re

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


class TextSanitizer:
    """Cleans one answer's pieces in order. Joined, they are the cleaned answer."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """The piece, cleaned; perhaps without its last character, which the next one brings."""
        if not self._half and not _UNFIT.search(piece):
            return piece
        piece, self._half = self._half + piece, ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self._half = piece[:-1], piece[-1]
        return _clean(piece)

    def flush(self) -> str:
        """What still waited for its other half."""
        rest, self._half = self._half, ""
        return _clean(rest)


def _clean(text: str) -> str:
    # UTF-16 joins surrogates that belong together and replaces those that stand alone.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", _REPLACEMENT)
