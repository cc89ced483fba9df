"""The application under test: a small Django ASGI app, a WebSocket echo, and a lifespan.

Events are appended to the file named by ``BENCH_EVENTS``, one JSON object a line, with the time of
the machine-wide monotonic clock, so that the load client can compare times.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any, ClassVar

import django
from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

TEXT = "a few words of an answer"
draining = False
open_streams = 0


def record(event: str, **details: object) -> None:
    """Append an event with one O_APPEND write, so that lines of several workers do not mix."""
    line = json.dumps({"event": event, "at": time.monotonic(), "pid": os.getpid(), **details})
    target = os.open(os.environ["BENCH_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(target, f"{line}\n".encode())
    os.close(target)


async def json_view(request: HttpRequest) -> HttpResponseBase:
    """Respond immediately, with 503 after this worker has received SIGTERM."""
    return JsonResponse({"pid": os.getpid(), "text": TEXT}, status=503 if draining else 200)


async def slow_view(request: HttpRequest) -> HttpResponseBase:
    """Wait before the first byte, as a JSON chat request does."""
    try:
        await asyncio.sleep(float(request.GET["seconds"]))
    except asyncio.CancelledError:
        record("ended", how="CancelledError")
        raise
    return JsonResponse({"pid": os.getpid()})


async def chunks(count: int, interval: float) -> AsyncIterator[bytes]:
    """``count`` SSE frames, one each ``interval`` seconds, each stamped with its time."""
    global open_streams
    how, start = "complete", time.monotonic()
    record("started")
    open_streams += 1
    try:
        for number in range(count):
            frame = {"type": "message.delta", "delta": TEXT, "at": time.monotonic()}
            yield f"id: {number}\nevent: message.delta\ndata: {json.dumps(frame)}\n\n".encode()
            await asyncio.sleep(max(0.0, start + (number + 1) * interval - time.monotonic()))
        yield b"data: [DONE]\n\n"
    except BaseException as error:
        how = type(error).__name__
        raise
    finally:
        open_streams -= 1
        record("ended", how=how)


async def sse_view(request: HttpRequest) -> HttpResponseBase:
    """Stream ``?count=`` chunks, one each ``?interval=`` seconds."""
    frames = chunks(int(request.GET["count"]), float(request.GET["interval"]))
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["X-Pid"] = str(os.getpid())
    return response


urlpatterns = [
    path("json", json_view),
    path("reused/json", json_view),
    path("slow", slow_view),
    path("sse", sse_view),
]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DEBUG=False,
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for a benchmark",
)
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 (needs configured settings)


class ReusedThreadsHandler(ASGIHandler):
    """ASGI handler that reuses threads, where Django creates and joins one per request."""

    free: ClassVar[list[ThreadPoolExecutor]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        executor = self.free.pop() if self.free else ThreadPoolExecutor(max_workers=1)
        try:
            async with ThreadSensitiveContext(executor=executor):
                await self.handle(scope, receive, send)
        finally:
            self.free.append(executor)


handler = ASGIHandler()
reused_threads_handler = ReusedThreadsHandler()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Dispatch to Django, the WebSocket echo or the lifespan handler."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["path"].startswith("/reused/"):
        await reused_threads_handler(scope, receive, send)
    else:
        await handler(scope, receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    """Record start and stop, and install our SIGTERM handler before the server's."""
    await receive()
    record("lifespan.startup")
    if "BENCH_DRAIN_FIRST" in os.environ:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, drain_first)
    else:
        observe_sigterm()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    record("lifespan.shutdown")
    await send({"type": "lifespan.shutdown.complete"})


def observe_sigterm() -> None:
    """Record SIGTERM before the server's own handler runs.

    Handlers of ``loop.add_signal_handler`` use the wake-up descriptor, which ``signal.signal`` does
    not change. A plain handler is called by ours.
    """
    previous = signal.getsignal(signal.SIGTERM)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        global draining
        draining = True
        record("sigterm")
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, on_sigterm)


def drain_first() -> None:
    """Handle SIGTERM instead of the server: wait for streams to end, then send SIGINT."""
    global draining
    draining = True
    record("sigterm")
    if open_streams:
        asyncio.get_running_loop().call_later(0.05, drain_first)
    else:
        os.kill(os.getpid(), signal.SIGINT)


async def echo(receive: Receive, send: Send) -> None:
    """Send every text message back until the client disconnects."""
    await receive()
    await send({"type": "websocket.accept"})
    record("started")
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    record("ended", how=f"{message['type']} {message.get('code')}")
