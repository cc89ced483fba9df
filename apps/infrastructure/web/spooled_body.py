"""A request's body in a temporary file, where Django takes it from."""

from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import Any

from apps.infrastructure.web.asgi import Receive

CHUNK_BYTES = 64 * 1024


class SpooledBody:
    """The `receive` of a request whose whole body is in a file.

    `ThreadPoolASGIHandler` takes the file instead of receiving and spooling the body once more.
    Other applications receive it in chunks.
    """

    def __init__(self, file: SpooledTemporaryFile[bytes], receive: Receive) -> None:
        file.seek(0)
        self._file = file
        self._receive = receive
        self._is_read = False

    def take_file(self) -> SpooledTemporaryFile[bytes]:
        """Return the file, instead of its content. The caller may close it."""
        self._is_read = True
        return self._file

    async def __call__(self) -> Mapping[str, Any]:
        if self._is_read:
            return await self._receive()
        chunk = self._file.read(CHUNK_BYTES)
        self._is_read = len(chunk) < CHUNK_BYTES
        return {"type": "http.request", "body": chunk, "more_body": not self._is_read}
