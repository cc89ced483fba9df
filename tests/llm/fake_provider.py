"""A fake model server with OpenAI's wire, on a real socket, that does what it is told.

Tests tell it with scripts, one a request. As a program it serves one paced answer for ever, for
benchmarks and for trying things by hand:

    python -m tests.llm.fake_provider --port 9000 --words 200 --pace 0.02
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

DONE = b"data: [DONE]\n\n"


def event(data: object) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(data)}\n\n".encode()


def chunk(text: str | None = None, *, finish: str | None = None, **delta: object) -> bytes:
    """One streamed chunk in OpenAI's usual shape."""
    content = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": {**content, **delta}, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def usage(prompt: int, completion: int) -> bytes:
    """The chunk that reports usage."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"id": "chatcmpl-1", "choices": [], "usage": counts})


def answer(*texts: str, finish: str = "stop") -> tuple[bytes, ...]:
    """A whole streamed answer: role, texts, finish reason, usage of 7 and one a text, done."""
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

    `before`: seconds until the status. `pace`: seconds before each piece of the body.
    `ending`: "end" ends the body in good order; "cut" closes the connection without an end;
    "hang" keeps it open and silent. "refuse" resets the connection and sends no status.
    """

    pieces: tuple[bytes, ...] = answer("Hello", " world")
    status: int = 200
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "text/event-stream"}
    )
    before: float = 0.0
    pace: float = 0.0
    ending: Literal["end", "cut", "hang", "refuse"] = "end"


def whole(body: object, *, status: int = 200, **headers: str) -> Script:
    """A JSON answer in one piece; header names with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(
        pieces=(json.dumps(body).encode(),),
        status=status,
        headers={"Content-Type": "application/json", **named},
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    connection: int
    at: float


class Upstream:
    """The running server. `requests` holds what came; `closed_early` the times (of
    `time.monotonic`) at which clients left before the end of their answer."""

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[Seen] = []
        self.closed_early: list[float] = []
        self._scripts: list[Script] = [Script()]
        self._connections: list[object] = []
        self._choose: Callable[[dict[str, Any]], tuple[bytes, ...]] | None = None

    def play(self, *scripts: Script) -> None:
        """What to do with the next requests; the last script stays."""
        self._scripts = list(scripts)

    def stream(self, *pieces: bytes, **options: Any) -> None:
        """Play these pieces, whatever is asked."""
        self.play(Script(pieces=pieces, **options))

    def stream_by(self, choose: Callable[[dict[str, Any]], tuple[bytes, ...]]) -> None:
        """Play the pieces that this says for the body of each request."""
        self._choose = choose

    async def wait_for_close(self, seconds: float = 1.0) -> float:
        """The moment at which a client left early. Raises: TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.closed_early:  # noqa: ASYNC110 - a test may look every 10 ms
                await asyncio.sleep(0.01)
        return self.closed_early[0]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request by its script."""
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        self.requests.append(await self._seen(request))
        if self._choose is not None:
            script = Script(pieces=self._choose(self.requests[-1].body))
        try:
            return await self._perform(script, request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.closed_early.append(time.monotonic())
            raise

    async def _seen(self, request: web.Request) -> Seen:
        if request.transport not in self._connections:
            self._connections.append(request.transport)
        connection = self._connections.index(request.transport)
        body = await request.json()
        return Seen(request.path, body, dict(request.headers), connection, time.monotonic())

    async def _perform(self, script: Script, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(script.before)
        response = web.StreamResponse(status=script.status, headers=script.headers)
        if script.ending == "refuse":
            _drop(request)
            return response
        await response.prepare(request)
        for piece in script.pieces:
            await asyncio.sleep(script.pace)
            await response.write(piece)
        if script.ending == "hang":
            await asyncio.Event().wait()
        if script.ending == "cut":
            for _ in range(20):  # so that what was written is read first: an abort discards it
                await asyncio.sleep(0.01)
            _drop(request)
            return response
        await response.write_eof()
        return response


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@asynccontextmanager
async def serve(port: int = 0) -> AsyncIterator[Upstream]:
    """Run a fake model server on 127.0.0.1; port 0 takes a free one."""
    upstream = Upstream()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        upstream.base_url = "http://{}:{}/v1".format(*runner.addresses[0][:2])
        yield upstream
    finally:
        await runner.cleanup()


async def _serve_forever(port: int, words: Iterable[str], pace: float) -> None:
    async with serve(port) as upstream:
        upstream.stream(*answer(*words), pace=pace)
        print(upstream.base_url, flush=True)
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
