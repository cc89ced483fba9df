"""One Redis client for each event loop, and one for all threads."""

from __future__ import annotations

import asyncio
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

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.Redis] = WeakKeyDictionary()

PREFIX = "parley:"
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
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        pool = redis.BlockingConnectionPool.from_url(
            settings.REDIS_URL,
            max_connections=_CONNECTIONS,
            timeout=_WAIT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_CONNECT_SECONDS,
            retry=_once_more(),
        )
        client = _clients[loop] = redis.Redis.from_pool(pool)
    return client


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
    """Run a Lua script in one round trip; Redis is sent its text once. Raises RedisError."""
    client = redis_client()
    digest = _digest(script)
    try:
        return list(await client.evalsha(digest, len(keys), *keys, *arguments))
    except NoScriptError:
        return list(await client.eval(script, len(keys), *keys, *arguments))


@functools.cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


async def close_redis() -> None:
    """Close the running loop's client, if it has one."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()
