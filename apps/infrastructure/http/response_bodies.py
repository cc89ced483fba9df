"""Read a response body within limits: its bytes as sent, its bytes decompressed, and its pace."""

import asyncio
import zlib

import aiohttp

from apps.infrastructure.http.request_errors import (
    BodyNotReadable,
    BodyTooLarge,
    RequestTimedOut,
)

ACCEPTED_ENCODINGS = "gzip, deflate"
PACE_SECONDS = 10.0
"""After each such span, at least this many times the least pace must have arrived."""

_CHUNK_BYTES = 64 * 1024
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_RAW_DEFLATE = -15
_MAX_MEMBERS = 100
# A gzip file may have several; a million empty ones would only cost time.


class Inflater:
    """Decompresses pieces in turn, to one byte more than `max_bytes` in all: no bomb grows further.

    `encoding`: gzip, x-gzip or deflate. Raises BodyNotReadable.
    """

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        if encoding not in _WINDOW_BITS:
            raise BodyNotReadable(
                f"The answer is compressed in a way that was not asked for ({encoding[:20]!r})."
            )
        self._encoding = encoding
        self._left = max_bytes + 1
        self._members = 0
        self._new_member()

    def feed(self, piece: bytes) -> bytes:
        """Return what this piece becomes."""
        inflated = bytearray()
        while piece and self._left:
            if self._decoder.eof:
                if not piece.strip(b"\0"):
                    break  # padding after the end
                self._new_member()
            inflated += self._feed_member(piece)
            piece = self._decoder.unused_data
        return bytes(inflated)

    def finish(self) -> None:
        """Check that the end was reached."""
        if self._has_begun and not self._decoder.eof:
            raise BodyNotReadable("The compressed answer is incomplete.")

    def _new_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise BodyNotReadable("The answer is compressed in too many parts.")
        self._decoder = zlib.decompressobj(_WINDOW_BITS[self._encoding])
        self._has_begun = False

    def _feed_member(self, piece: bytes) -> bytes:
        try:
            out = self._decoder.decompress(piece, self._left)
        except zlib.error:
            out = self._as_raw_deflate(piece)
        self._has_begun = True
        self._left -= len(out)
        return out

    def _as_raw_deflate(self, piece: bytes) -> bytes:
        """Some servers send deflate without its header."""
        if self._has_begun or self._encoding != "deflate":
            raise BodyNotReadable("The answer is not compressed as its header says.") from None
        self._decoder = zlib.decompressobj(_RAW_DEFLATE)
        try:
            return self._decoder.decompress(piece, self._left)
        except zlib.error:
            raise BodyNotReadable("The answer is not compressed as its header says.") from None


def inflate(data: bytes, *, max_bytes: int) -> bytes:
    """Decompress a gzip file. Raises BodyTooLarge or BodyNotReadable."""
    inflater = Inflater("gzip", max_bytes=max_bytes)
    inflated = inflater.feed(data)
    if len(inflated) > max_bytes:
        raise BodyTooLarge("The file is too large once it is decompressed.")
    inflater.finish()
    return inflated


async def read_within_limits(
    response: aiohttp.ClientResponse,
    *,
    max_bytes: int,
    is_cut: bool,
    min_bytes_per_second: int,
    pace_seconds: float = PACE_SECONDS,
) -> bytes:
    """Read the whole body, decompressed.

    A larger body raises BodyTooLarge, or is cut if `is_cut`. Too slow a body raises
    RequestTimedOut; BodyNotReadable is raised for one that cannot be decompressed.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    body = _Body(encoding, max_bytes)
    least = 0.0
    try:
        if (response.content_length or 0) > max_bytes and not is_cut:
            raise BodyTooLarge("The answer is too large.")
        while True:
            least += min_bytes_per_second * pace_seconds
            try:
                async with asyncio.timeout(pace_seconds):
                    return await body.read_rest(response)
            except TimeoutError:
                if body.sent < least:
                    raise RequestTimedOut("The answer arrived too slowly.") from None
    except BodyTooLarge:
        if not is_cut:
            raise
        return bytes(body.read[:max_bytes])


class _Body:
    """What has arrived of a body. `sent` counts its bytes before they are decompressed."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        is_plain = encoding in ("", "identity")
        self._inflater = None if is_plain else Inflater(encoding, max_bytes=max_bytes)
        self._max_bytes = max_bytes
        self.read = bytearray()
        self.sent = 0

    async def read_rest(self, response: aiohttp.ClientResponse) -> bytes:
        """Read to the end. May be cancelled and called again."""
        while piece := await response.content.read(_CHUNK_BYTES):
            self.sent += len(piece)
            self.read += self._inflater.feed(piece) if self._inflater else piece
            if max(self.sent, len(self.read)) > self._max_bytes:
                raise BodyTooLarge("The answer is too large.")
        if self._inflater is not None:
            self._inflater.finish()
        return bytes(self.read)
