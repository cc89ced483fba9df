"""Read a whole body of limited length."""

from apps.llm.http.connection_pool import HttpResponse
from apps.llm.http.content_decoding import UnsupportedEncoding, content_decoder


async def read_at_most(response: HttpResponse, max_bytes: int) -> bytes:
    """Read the body, decoded and truncated to `max_bytes`; b"" if it cannot be decoded.

    Raises OSError.
    """
    body = bytearray()
    try:
        decode = content_decoder(response.headers.get("Content-Encoding", "")) or bytes
        while len(body) < max_bytes and (piece := await response.read()):
            body += decode(piece)
    except UnsupportedEncoding:
        return b""
    return bytes(body[:max_bytes])
