"""Decode bodies that were compressed although identity was asked for. Does no I/O."""

import zlib
from collections.abc import Callable

MAX_DECODED_BYTES = 16 * 1024 * 1024
"""The most that one piece of a body, of at most some 100 KiB, may become."""

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}


class UnsupportedEncoding(ValueError):
    """The body is compressed in a way that is not understood, or not what its header says."""


def content_decoder(encoding: str) -> Callable[[bytes], bytes] | None:
    """Return a function that decodes the pieces of a body in turn; None if there is nothing to do.

    Raises: UnsupportedEncoding; so does the function.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in _WINDOW_BITS:
        raise UnsupportedEncoding(f"the provider sent an answer encoded as {encoding[:20]!r}")
    decoder = zlib.decompressobj(_WINDOW_BITS[encoding])

    def decode(piece: bytes) -> bytes:
        try:
            decoded = decoder.decompress(piece, MAX_DECODED_BYTES)
        except zlib.error:
            raise UnsupportedEncoding(
                f"the provider sent an answer that is no {encoding}"
            ) from None
        if decoder.unconsumed_tail:
            raise UnsupportedEncoding("the provider sent an answer that is too long")
        return decoded

    return decode
