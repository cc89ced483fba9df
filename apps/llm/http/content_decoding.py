"""Decode bodies that were compressed although identity was asked for. Does no I/O."""

import zlib
from collections.abc import Callable
from typing import Any

MAX_DECODED_BYTES = 16 * 1024 * 1024
"""The most that one piece of a body, of at most some 100 KiB, may become."""

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_FIRST_BYTES_OF_TEXT = b"{[<:dDeEiIrR \t\r\n\xef"
"""Of JSON, a web page, the lines of events, or a byte order mark. Compressed bodies begin with
others."""


class UnsupportedEncoding(ValueError):
    """The body is compressed in a way that is not understood, or not what its header says."""


def content_decoder(encoding: str) -> Callable[[bytes], bytes] | None:
    """Return a function that decodes the pieces of a body in turn; None if there is nothing to do.

    A body that is not compressed, whatever its header says, is returned as it is. The function
    raises UnsupportedEncoding.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    decoder: Any = None
    is_text: bool | None = None

    def decode(piece: bytes) -> bytes:
        nonlocal decoder, is_text
        if is_text is None and piece:
            is_text = piece[0] in _FIRST_BYTES_OF_TEXT
        if is_text or not piece:
            return piece
        decoder = decoder or _decompressor(encoding)
        try:
            decoded: bytes = decoder.decompress(piece, MAX_DECODED_BYTES)
        except zlib.error:
            raise UnsupportedEncoding(f"the provider sent what is no {encoding}") from None
        if decoder.unconsumed_tail:
            raise UnsupportedEncoding("the provider sent an answer that is too long")
        return decoded

    return decode


def _decompressor(encoding: str) -> Any:
    if encoding not in _WINDOW_BITS:
        raise UnsupportedEncoding(f"the provider sent an answer encoded as {encoding[:20]!r}")
    return zlib.decompressobj(_WINDOW_BITS[encoding])
