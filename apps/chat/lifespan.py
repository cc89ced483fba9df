"""Start-up and shutdown of a web process.

The process handles SIGTERM itself: it lets go of the listening socket, so that new connections are
served by other processes, lets its turns end, closes its WebSockets, and only then passes the stop
on to the server, as SIGINT. If the whole server stops there are no others: it goes on accepting,
answers new chats with 503 and Retry-After, and reports it on /readyz.
"""

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
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.pool import close_pool
from apps.infrastructure.postgres.threads import close_thread_pool, in_thread
from apps.infrastructure.process import process
from apps.infrastructure.redis.clients import close_redis
from apps.infrastructure.task_queue import flush as flush_tasks
from apps.infrastructure.web import handover
from apps.llm import services as llm

log = get_logger(__name__)

HANDOVER_SECONDS = 1.0
"""Whoever was accepted last has sent its request after so long."""
REFUSE_AFTER_SECONDS = 10.0
"""Until then turns are started on connections that a stopping process still has."""
FLUSH_SECONDS = 2.0

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
    """Import the clients of the providers in use. Starts even while the database is down."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, start_draining)
    relay.listen()
    try:
        await llm.preload_providers(await in_thread(providers_in_use))
    except Exception as error:
        log.warning("preload_failed", reason=type(error).__name__)
    tune_gc()
    handover.tell_ready()


def tune_gc() -> None:
    """Exclude what is loaded by now from garbage collection, and collect the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def start_draining() -> None:
    """Handle SIGTERM."""
    if not process.is_stopping:
        process.is_stopping = True
        process.refuses_turns = not handover.let_go()
        asyncio.get_running_loop().call_later(REFUSE_AFTER_SECONDS, refuse_turns)
        relay.stop_following()
        open_sockets.close_idle()
        start_background_task(drain_then_stop_server())


def refuse_turns() -> None:
    process.refuses_turns = True


async def drain_then_stop_server() -> None:
    if not process.refuses_turns:
        await asyncio.sleep(HANDOVER_SECONDS)
    await running_turns.drain()
    await open_sockets.close()
    os.kill(os.getpid(), signal.SIGINT)


async def on_shutdown() -> None:
    """After the server's last response: wait for turns whose callers have left, then clean up."""
    process.is_stopping = process.refuses_turns = True
    await running_turns.drain()
    await relay.close()
    await llm.close_clients()
    await flush()
    await close_redis()
    await close_pool()
    close_thread_pool()
    await asyncio.to_thread(flush_tasks, seconds=FLUSH_SECONDS)
