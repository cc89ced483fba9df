"""The connection to Redis on which turns are admitted, against a real server and one that lies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError, ResponseError

from apps.infrastructure.redis.clients import close_redis, run_script
from apps.infrastructure.redis.redis_connection import RedisLine, connect, understands

URL = os.environ["REDIS_URL"]


@pytest.fixture
async def line() -> AsyncIterator[RedisLine]:
    made = await connect(URL, seconds=5, patience=5)
    yield made
    made.close()
    await asyncio.sleep(0)  # the loop closes its socket


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[RedisLine]:
    """A line to a server that says this, whatever it is asked, and then nothing more."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        with suppress(OSError):
            await reader.read()
        writer.transport.abort()
        done.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = await connect(f"redis://127.0.0.1:{port}", seconds=5, patience=0.5)
        yield made
        made.close()
        await done.wait()


async def test_every_kind_of_answer_is_read(line: RedisLine) -> None:
    script = "return {1, 'two\\r\\n', false, {-3, redis.status_reply('OK')}, {}}"
    assert await line.ask("EVAL", script, 0) == [1, b"two\r\n", None, [-3, b"OK"], []]
    assert await line.ask("EVAL", "return ARGV[1]", 0, "größe") == "größe".encode()


async def test_answers_come_to_those_who_asked(line: RedisLine) -> None:
    asked = [line.ask("ECHO", f"number {n}") for n in range(500)]
    asked[7].cancel()
    asked[8] = line.ask("EVAL", "return redis.error_reply('no')", 0)
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(told[7], asyncio.CancelledError)
    assert isinstance(told[8], ResponseError)
    assert told[9:] == [f"number {n}".encode() for n in range(9, 500)]


async def test_an_unknown_script_says_so(line: RedisLine) -> None:
    with pytest.raises(NoScriptError):
        await line.ask("EVALSHA", "0" * 40, 0)


async def running_scripts(line: RedisLine) -> set[bytes]:
    """The ids of the connections whose last command was a script."""
    told: bytes = await line.ask("CLIENT", "LIST")
    return {one.split()[0].removeprefix(b"id=") for one in told.splitlines() if b" cmd=eval" in one}


async def test_a_script_is_run_again_after_its_connection_was_cut(line: RedisLine) -> None:
    script = "return {tonumber(ARGV[1]) + 1}"
    try:
        others = await running_scripts(line)
        first = await run_script(script, [], [1])
        cut = await running_scripts(line) - others
        assert len(cut) > 0
        for connection in cut:
            await line.ask("CLIENT", "KILL", "ID", connection.decode())
        assert (first, await run_script(script, [], [2])) == ([2], [3])
        assert await running_scripts(line) & cut == set()
    finally:
        await close_redis()
        await asyncio.sleep(0)


async def test_an_answer_may_come_in_pieces() -> None:
    async with answering(b"*2\r\n$5\r\nhe", b"llo\r", b"\n:7\r", b"\n") as line:
        assert await line.ask("PING") == [b"hello", 7]


async def test_a_silent_server_is_given_up() -> None:
    async with answering() as line:
        with pytest.raises(TimeoutError):
            await line.ask("PING")
        assert line.is_lost
        with pytest.raises(ConnectionLost):
            await line.ask("PING")


async def test_what_is_not_redis_is_given_up() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as line:
        with pytest.raises(ConnectionLost):
            await line.ask("PING")


async def test_a_wrong_password_is_refused() -> None:
    with pytest.raises(ResponseError):
        await connect(_with_password(URL, "wrong"), seconds=5, patience=5)


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f":{password}@{parts.hostname}:{parts.port}").geturl()


@pytest.mark.parametrize(
    ("url", "is_understood"),
    [
        ("redis://127.0.0.1:6379/0", True),
        ("rediss://someone:secret@redis.example:6380/2", True),
        ("unix:///run/redis.sock?db=1", True),
        ("rediss://redis.example?ssl_cert_reqs=none", False),
        ("redis://redis.example?protocol=3", False),
    ],
)
def test_an_address_with_other_options_is_left_to_the_library(
    url: str, is_understood: bool
) -> None:
    assert understands(url) is is_understood
