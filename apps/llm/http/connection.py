"""One HTTP/1.1 connection to a model server, as an asyncio protocol."""

import asyncio
from collections.abc import Callable
from typing import cast

from apps.llm.http.response_parser import InvalidResponse, ResponseParser

MAX_BUFFERED_BYTES = 256 * 1024
"""How much of a body may be received but not read before the server is made to wait."""

BytesHandler = Callable[[bytes], bool]
"""Called in the event loop with bytes as they come; returns whether it wants more."""


class Connection(asyncio.Protocol):
    """A connection and its current response. `idle_since` is 0 while a request is in progress."""

    def __init__(self) -> None:
        self.response = ResponseParser()
        self.idle_since = 0.0
        self.is_lost = False
        self._transport: asyncio.Transport | None = None
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._is_paused = False
        self._error: BaseException | None = None
        self._handler: BytesHandler | None = None
        self._handler_is_done = False
        self._waiter: asyncio.Future[None] | None = None

    def send(self, request: bytes) -> None:
        """Send a request. The previous response must be complete."""
        self.response = ResponseParser()
        self.idle_since = 0.0
        self._error = None
        cast(asyncio.Transport, self._transport).write(request)

    async def wait_for_head(self) -> None:
        """Wait until the response has its status and headers. Raises OSError."""
        while not self.response.status:
            await self._wait_for_data()

    async def read(self) -> bytes:
        """Return the next bytes of the body, as they came; b"" at its end. Raises OSError."""
        while not self._buffer:
            if self.response.is_complete:
                return b""
            await self._wait_for_data()
        pieces = self._buffer
        self._buffer, self._buffered_bytes = [], 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return _join(pieces)

    async def stream_to(self, handler: BytesHandler) -> None:
        """Pass the body to the handler as it comes, until its end or until the handler is done.

        Raises OSError, or what the handler raises.
        """
        if self._buffer and not handler(await self.read()):
            return
        self._handler, self._handler_is_done = handler, False
        try:
            while not (self._handler_is_done or self.response.is_complete):
                await self._wait_for_data()
            if self._error is not None:
                raise self._error
        finally:
            self._handler = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.idle_since:
            self.close()  # nothing was requested
            return
        try:
            pieces = self.response.feed(data)
        except InvalidResponse as error:
            self._fail(error)
            self.close()
            return
        if pieces and self._handler is not None:
            self._handle(pieces, self._handler)
            return
        if pieces:
            self._buffer += pieces
            self._buffered_bytes += len(data)
            is_full = self._buffered_bytes > MAX_BUFFERED_BYTES
            if is_full and not self._is_paused and self._transport:
                self._is_paused = True
                self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if error is not None and not self.response.is_complete:
            self._fail(error)
            return
        try:
            self.response.finish()
        except InvalidResponse as invalid:
            self._fail(invalid)
        self._wake()

    def _handle(self, pieces: list[bytes], handler: BytesHandler) -> None:
        try:
            if handler(_join(pieces)):
                if self.response.is_complete:
                    self._wake()
                return
        except Exception as error:
            self._error = error
        self._handler, self._handler_is_done = None, True
        self._wake()

    async def _wait_for_data(self) -> None:
        if self._error is not None:
            raise self._error
        if self.is_lost:
            raise InvalidResponse("the connection is closed")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _join(pieces: list[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
