"""One Redis client for each event loop."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import redis.asyncio as redis
from django.conf import settings

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.Redis] = WeakKeyDictionary()

PREFIX = "parley:"
"""Before every key of ours, so that a shared server stays readable."""


def redis_client() -> redis.Redis:
    """The running loop's client. Short time-outs: Redis holds only what may be lost."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=0.5,
            socket_connect_timeout=0.25,
            retry=None,
        )
    return client


async def close_redis() -> None:
    """Close the running loop's client, if it has one."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()
