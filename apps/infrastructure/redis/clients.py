"""One Redis client for each event loop, and one for all threads."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import hashlib
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import redis as blocking_redis
import redis.asyncio as redis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError
from redis.retry import Retry as BlockingRetry

from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.redis.redis_connection import RedisLine, connect, understands

_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[RedisLine]] = WeakKeyDictionary()
_understands = functools.cache(understands)

KEY_PREFIX = "parley:"
"""Before every key of ours, so that a shared server stays readable."""

_CONNECTIONS = 32
# A burst waits its turn for a connection. The other kind of pool refuses what is over its size,
# which would look like Redis being away.

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_WAIT_SECONDS = 5.0
# Redis answers in a millisecond, but these clocks also run while a burst keeps our own loop busy.


def redis_client() -> redis.Redis:
    """The running loop's client. Short time-outs: Redis holds only what may be lost."""
    return _clients.get()


def _new_client() -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=_CONNECTIONS,
        timeout=_WAIT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        retry=_once_more(),
    )
    return redis.Redis.from_pool(pool)


_clients = PerLoop(_new_client)


@functools.cache
def blocking_redis_client() -> blocking_redis.Redis:
    """The client of code that runs in threads, which share its pool. The same short time-outs."""
    pool = blocking_redis.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=_CONNECTIONS,
        timeout=_WAIT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        retry=BlockingRetry(NoBackoff(), 1, supported_errors=(ConnectionLost,)),
    )
    return blocking_redis.Redis.from_pool(pool)


def _once_more() -> Retry:
    """For connections that a restart of Redis has cut while they lay idle in the pool: each is
    found out by its next command, which is then sent again on a new one."""
    return Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,))


async def run_script(script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> list[Any]:
    """Run a Lua script in one round trip; Redis is sent its text once. Its texts come as bytes.

    Raises RedisError, OSError or TimeoutError.
    """
    asked = (*keys, *arguments)
    if not _understands(settings.REDIS_URL):
        client = redis_client()
        try:
            return list(await client.evalsha(_digest(script), len(keys), *asked))
        except NoScriptError:
            return list(await client.eval(script, len(keys), *asked))
    try:
        return await _run(script, len(keys), asked)
    except ConnectionLost:  # it was cut while it lay idle, perhaps
        return await _run(script, len(keys), asked)


async def _run(script: str, count: int, asked: Sequence[str | int]) -> list[Any]:
    line = await _line()
    try:
        return list(await line.ask("EVALSHA", _digest(script), count, *asked))
    except NoScriptError:
        return list(await line.ask("EVAL", script, count, *asked))


async def _line() -> RedisLine:
    """The running loop's line; whoever comes while it is made waits for it."""
    loop = asyncio.get_running_loop()
    making = _lines.get(loop)
    if making is None or (making.done() and _is_gone(making)):
        step = connect(settings.REDIS_URL, seconds=_CONNECT_SECONDS, patience=_ANSWER_SECONDS)
        # A fresh context: others wait for it too, and the request that began it may leave.
        making = _lines[loop] = loop.create_task(step, context=contextvars.Context())
    return await asyncio.shield(making)


def _is_gone(made: asyncio.Task[RedisLine]) -> bool:
    return made.cancelled() or made.exception() is not None or made.result().is_lost


@functools.cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


async def close_redis() -> None:
    """Close the running loop's connections, if it has any."""
    loop = asyncio.get_running_loop()
    making = _lines.pop(loop, None)
    if making is not None and not (making.done() and _is_gone(making)):
        (await making).close()
    client = _clients.pop()
    if client is not None:
        await client.aclose()
