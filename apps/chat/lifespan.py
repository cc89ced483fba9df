"""What a web process does before its first request and when it is asked to stop.

Left alone, the server closes its door at SIGTERM and a caller meets a refused connection. So the
process takes the signal itself: it answers new chats with 503 and Retry-After, says so on
/readyz, lets its turns end, closes its WebSockets, and only then hands the stop to the server,
as SIGINT.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from apps.api_kit.refusal_log import flush
from apps.chat.engine.run import relay, running_turns
from apps.chat.websocket.connection import open_sockets
from apps.chatbots.queries import providers_in_use
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.pool import close_pool
from apps.infrastructure.postgres.threads import close_thread_pool, in_thread
from apps.infrastructure.process import process
from apps.infrastructure.redis.clients import close_redis
from apps.llm import services as llm

log = get_logger(__name__)

Message = dict[str, Any]


async def lifespan(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """The ASGI lifespan protocol."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await on_startup()
            await send({"type": "lifespan.startup.complete"})
        else:
            await on_shutdown()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def on_startup() -> None:
    """Warm what the catalogue needs. A process that cannot yet reach the database starts too."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, start_draining)
    relay.listen()
    try:
        await llm.preload_providers(await in_thread(providers_in_use))
    except Exception as error:
        log.warning("not_warm", reason=type(error).__name__)
    tune_gc()


def tune_gc() -> None:
    """What was loaded stays for the life of the process: it need not be looked through over and
    over for what is no longer used, and the rest need not as often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def start_draining() -> None:
    if not process.is_stopping:
        process.is_stopping = True
        open_sockets.close_idle()
        _stopping.append(asyncio.get_running_loop().create_task(drain_then_stop_server()))


_stopping: list[asyncio.Task[None]] = []


async def drain_then_stop_server() -> None:
    await running_turns.drain()
    await open_sockets.close()
    os.kill(os.getpid(), signal.SIGINT)


async def on_shutdown() -> None:
    """After the server's last response: wait for turns whose callers have left, then let go."""
    process.is_stopping = True
    await running_turns.drain()
    await relay.close()
    await llm.close_clients()
    await flush()
    await close_redis()
    await close_pool()
    close_thread_pool()
