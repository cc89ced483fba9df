"""Scripts in Redis, by which turns are admitted: a real server, one that fails, and a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
import redis.asyncio as redis
from django.conf import settings
from django.test import override_settings
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from apps.core.ids import new_id
from apps.infrastructure.redis.clients import close_redis, run_script

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await close_redis()


@asynccontextmanager
async def redis_served_by(serve: Serve, query: str = "") -> AsyncIterator[None]:
    """Have REDIS_URL name a server that treats its connections so."""
    done = asyncio.Event()

    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                await serve(reader, writer)
        finally:
            writer.transport.abort()
            done.set()

    async with await asyncio.start_server(serve_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = urlsplit(settings.REDIS_URL)
        credentials = url.netloc.rpartition("@")[0]
        netloc = f"{credentials}@127.0.0.1:{port}" if credentials else f"127.0.0.1:{port}"
        with override_settings(REDIS_URL=url._replace(netloc=netloc, query=query).geturl()):
            yield
            await close_redis()
        await done.wait()


async def test_every_kind_of_reply_is_parsed() -> None:
    script = "return {1, 'two\\r\\n', false, {-3, redis.status_reply('OK')}, {}}"
    assert await run_script(script, [], []) == [1, b"two\r\n", None, [-3, b"OK"], []]
    assert await run_script("return {ARGV[1]}", [], ["größe"]) == ["größe".encode()]


async def test_concurrent_scripts_get_their_own_replies() -> None:
    script = "if ARGV[1] == '8' then return redis.error_reply('no') end return {ARGV[1]}"
    running = [asyncio.create_task(run_script(script, [], [n])) for n in range(500)]
    await asyncio.sleep(0)
    running[7].cancel()
    replies = await asyncio.gather(*running, return_exceptions=True)
    assert isinstance(replies[7], asyncio.CancelledError)
    assert isinstance(replies[8], ResponseError)
    assert replies[9:] == [[b"%d" % n] for n in range(9, 500)]


async def test_script_that_redis_does_not_know_is_sent() -> None:
    script = f"return {{'{new_id()}'}}"
    first, second = await run_script(script, [], []), await run_script(script, [], [])
    assert first == second == [script[9:34].encode()]


async def script_connections(client: redis.Redis) -> set[str]:
    """The ids of the connections whose last command was a script."""
    return {one["id"] for one in await client.client_list() if one["cmd"].startswith("eval")}


async def test_script_is_run_again_after_its_connection_was_cut() -> None:
    script = "return {tonumber(ARGV[1]) + 1}"
    async with redis.Redis.from_url(settings.REDIS_URL) as client:
        others = await script_connections(client)
        first = await run_script(script, [], [1])
        cut = await script_connections(client) - others
        assert len(cut) > 0
        for connection in cut:
            await client.client_kill_filter(_id=connection)
        assert (first, await run_script(script, [], [2])) == ([2], [3])
        assert await script_connections(client) & cut == set()


async def test_reply_may_arrive_byte_by_byte() -> None:
    real = urlsplit(settings.REDIS_URL)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(real.hostname, real.port)

        async def send_requests() -> None:
            while data := await reader.read(65536):
                server_writer.write(data)
            server_writer.close()

        requests = asyncio.create_task(send_requests())
        while data := await server_reader.read(1):
            writer.write(data)
            await writer.drain()
        await requests

    async with redis_served_by(forward):
        assert await run_script("return {'hello', 7}", [], []) == [b"hello", 7]


async def test_silent_server_times_out() -> None:
    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    query = "socket_timeout=0.5&socket_connect_timeout=0.5"
    async with redis_served_by(say_nothing, query):
        with pytest.raises(RedisTimeoutError):
            await run_script("return {1}", [], [])


async def test_server_that_is_not_redis_is_an_error() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with redis_served_by(refuse):
        with pytest.raises(InvalidResponse):
            await run_script("return {1}", [], [])


async def test_wrong_password_is_an_error() -> None:
    parts = urlsplit(settings.REDIS_URL)
    netloc = f":wrong@{parts.hostname}:{parts.port}"
    with override_settings(REDIS_URL=parts._replace(netloc=netloc).geturl()):
        with pytest.raises(RedisError, match=r"(?i)password|auth"):
            await run_script("return {1}", [], [])
        await close_redis()
