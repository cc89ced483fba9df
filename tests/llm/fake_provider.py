"""A fake OpenAI-compatible model server on a real socket, controlled by scripts.

Tests give it one script per request. As a program it serves one paced answer forever, for
benchmarks and manual tests:

    python -m tests.llm.fake_provider --port 9000 --words 200 --pace 0.02
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

DONE = b"data: [DONE]\n\n"


def sse_event(data: object) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(data)}\n\n".encode()


def chunk(text: str | None = None, *, finish: str | None = None, **delta: object) -> bytes:
    """A streamed chunk as OpenAI sends it."""
    content = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": {**content, **delta}, "finish_reason": finish}
    return sse_event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def usage(prompt: int, completion: int) -> bytes:
    """A chunk that reports usage."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return sse_event({"id": "chatcmpl-1", "choices": [], "usage": counts})


def streamed_answer(*texts: str, finish: str = "stop") -> tuple[bytes, ...]:
    """A complete streamed answer: role, texts, finish reason, usage (7, number of texts), done."""
    return (
        chunk("", role="assistant"),
        *(chunk(text) for text in texts),
        chunk(finish=finish),
        usage(7, len(texts)),
        DONE,
    )


@dataclass(frozen=True, slots=True)
class Script:
    """What the server does with one request.

    `delay`: seconds until the status. `pace`: seconds before each piece of the body; `pauses`:
    further seconds before a piece, by its number.
    `ending`: "end" ends the body cleanly; "cut" closes the connection without an end; "hang" keeps
    it open and silent; "refuse" resets the connection and sends no status.
    """

    pieces: tuple[bytes, ...] = streamed_answer("Hello", " world")
    status: int = 200
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "text/event-stream"}
    )
    delay: float = 0.0
    pace: float = 0.0
    pauses: Mapping[int, float] = field(default_factory=dict)
    ending: Literal["end", "cut", "hang", "refuse"] = "end"


def json_script(body: object, *, status: int = 200, **headers: str) -> Script:
    """A JSON response; header names with _ for -."""
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(
        pieces=(json.dumps(body).encode(),),
        status=status,
        headers={"Content-Type": "application/json", **renamed},
    )


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it was received."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    connection: int


class FakeProvider:
    """The running server.

    `requests`: those received. `early_closes`: how many clients disconnected before the end of
    their answer. `pieces_sent`: how many pieces of answers were written.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[ReceivedRequest] = []
        self.early_closes = 0
        self.pieces_sent = 0
        self._scripts: list[Script] = [Script()]
        self._connections: list[object] = []
        self._choose: Callable[[dict[str, Any]], tuple[bytes, ...]] | None = None

    def play(self, *scripts: Script) -> None:
        """Use these scripts for the next requests; the last one for all that follow."""
        self._scripts = list(scripts)

    def stream(self, *pieces: bytes, **options: Any) -> None:
        """Respond with these pieces to every request."""
        self.play(Script(pieces=pieces, **options))

    def stream_from(self, choose: Callable[[dict[str, Any]], tuple[bytes, ...]]) -> None:
        """Respond with the pieces that `choose` returns for the body of a request."""
        self._choose = choose

    async def wait_for_close(self, seconds: float = 10.0) -> None:
        """Wait until a client has disconnected early. Raises: TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.early_closes:  # noqa: ASYNC110 - a test may poll every 10 ms
                await asyncio.sleep(0.01)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond to one request by its script."""
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        self.requests.append(await self._record(request))
        if self._choose is not None:
            script = Script(pieces=self._choose(self.requests[-1].body))
        try:
            return await self._perform(script, request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.early_closes += 1
            raise

    async def _record(self, request: web.Request) -> ReceivedRequest:
        if request.transport not in self._connections:
            self._connections.append(request.transport)
        connection = self._connections.index(request.transport)
        body = await request.json()
        return ReceivedRequest(request.path, body, dict(request.headers), connection)

    async def _perform(self, script: Script, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(script.delay)
        response = web.StreamResponse(status=script.status, headers=script.headers)
        if script.ending == "refuse":
            _drop(request)
            return response
        await response.prepare(request)
        for number, piece in enumerate(script.pieces):
            await asyncio.sleep(script.pace + script.pauses.get(number, 0.0))
            await response.write(piece)
            self.pieces_sent += 1
        if script.ending == "hang":
            await asyncio.Event().wait()
        if script.ending == "cut":
            for _ in range(20):  # so that the client reads what was written: an abort discards it
                await asyncio.sleep(0.01)
            _drop(request)
            return response
        await response.write_eof()
        return response


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@asynccontextmanager
async def serve(port: int = 0) -> AsyncIterator[FakeProvider]:
    """Run a fake provider on 127.0.0.1; port 0 uses a free one."""
    server = FakeProvider()
    app = web.Application()
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.base_url = "http://{}:{}/v1".format(*runner.addresses[0][:2])
        yield server
    finally:
        await runner.cleanup()


async def _serve_forever(port: int, words: Iterable[str], pace: float) -> None:
    async with serve(port) as server:
        server.stream(*streamed_answer(*words), pace=pace)
        print(server.base_url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake model server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--words", type=int, default=100)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each word")
    options = parser.parse_args()
    words = (f" word{number}" for number in range(options.words))
    asyncio.run(_serve_forever(options.port, words, options.pace))


if __name__ == "__main__":
    main()
