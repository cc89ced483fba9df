"""Redis clients: one for each event loop, and one for all threads."""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import redis as blocking_redis
import redis.asyncio as redis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.retry import Retry as BlockingRetry

from apps.infrastructure.concurrency.loop_local import PerLoop

KEY_PREFIX = "parley:"
"""Begins every key of ours, so that a shared server stays readable."""

MAX_CONNECTIONS = 32
# A burst waits for a connection. The other kind of pool raises an error when it is exhausted, which
# would look as if Redis were down.

CONNECT_SECONDS = 1.0
RESPONSE_SECONDS = 1.5
POOL_WAIT_SECONDS = 1.5
# Redis responds in a millisecond, but these time-outs also run while a burst keeps our loop busy.
# A frozen Redis is waited for by those who called it first; a circuit breaker spares the others.


def redis_client() -> redis.Redis:
    """The running loop's client. Short time-outs: Redis holds only what may be lost."""
    return _clients.get()


@functools.cache
def blocking_redis_client() -> blocking_redis.Redis:
    """The client of code that runs in threads, which share its pool. The same short time-outs."""
    retry = BlockingRetry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    pool = blocking_redis.BlockingConnectionPool.from_url(
        settings.REDIS_URL, retry=retry, **_pool_options()
    )
    return blocking_redis.Redis.from_pool(pool)


async def run_script(script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> list[Any]:
    """Run a Lua script that returns a list, in one round trip; Redis is sent its text only once.

    Strings are returned as bytes. Raises RedisError, OSError or TimeoutError.
    """
    client = redis_client()
    parameters = (*keys, *arguments)
    try:
        return list(await client.evalsha(_sha1(script), len(keys), *parameters))
    except NoScriptError:
        return list(await client.eval(script, len(keys), *parameters))


async def close_redis() -> None:
    """Close the running loop's connections, if it has any."""
    client = _clients.pop()
    if client is not None:
        await client.aclose()


def _new_client() -> redis.Redis:
    # A restart of Redis cuts the idle connections of the pool. Each is discovered by its next
    # command, which is then sent again on a new one.
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    pool = redis.BlockingConnectionPool.from_url(settings.REDIS_URL, retry=retry, **_pool_options())
    return redis.Redis.from_pool(pool)


def _pool_options() -> dict[str, Any]:
    return {
        "max_connections": MAX_CONNECTIONS,
        "timeout": POOL_WAIT_SECONDS,
        "socket_timeout": RESPONSE_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
    }


_clients = PerLoop(_new_client)


@functools.cache
def _sha1(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
