"""Callers of the chat endpoint, and what they were told."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.stream_reader import StreamReader, Told
from tests.web_processes import SSL_CONTEXT

CALLERS = 10
CLIENT_SECONDS = 60.0
"""The longest that a caller waits for anything: longer is a violation."""
GIVE_UP_SECONDS = 90.0
RETRY_SECONDS = 0.3
WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]


@contextmanager
def connection_may_break() -> Iterator[None]:
    """Suppress the loss of a connection, but not a wait that was too long."""
    try:
        yield
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        pass


@dataclass
class Record:
    """What all callers of a schedule were told, and what must not have happened."""

    ends: list[Told] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: int = 0


@dataclass(frozen=True)
class Target:
    """What the callers use: web servers, a key and chatbots."""

    urls: list[str]
    key: str
    chatbots: list[str]


class Caller:
    """Sends one request after the other until `stopped`, and sees each to its end."""

    def __init__(self, target: Target, record: Record, rng: random.Random, number: int) -> None:
        self._target = target
        self._record = record
        self._rng = rng
        self._number = number
        headers = {"Authorization": f"Bearer {target.key}"}
        self._client = httpx.AsyncClient(
            headers=headers, verify=SSL_CONTEXT, timeout=httpx.Timeout(CLIENT_SECONDS)
        )

    async def run(self, stopped: asyncio.Event) -> None:
        count = 0
        async with self._client:
            while not stopped.is_set():
                count += 1
                choice = self._rng.choice(
                    [self._ask, self._ask_twice, self._stream, self._follow, self._stop]
                )
                try:
                    await choice(f"{self._number}-{count}")
                except httpx.TimeoutException as error:
                    self._violation(f"waited {CLIENT_SECONDS:.0f} s: {error!r}")

    # What callers do. Each request has a key, so that it can be repeated.

    async def _ask(self, key: str) -> None:
        await self._ask_until_told(key, self._message(), self._rng.choice(self._target.chatbots))

    async def _ask_twice(self, key: str) -> None:
        """Two callers with one key: they are told the same."""
        message, chatbot = self._message(), self._rng.choice(self._target.chatbots)
        first, second = await asyncio.gather(
            *(self._ask_until_told(key, message, chatbot) for _ in range(2))
        )
        if first and second and first != second:
            self._violation(f"one key was told {first} and {second}")

    async def _stream(self, key: str) -> None:
        turn_id, reader = await self._open_stream(key)
        if turn_id is not None:
            await self._read_to_the_end(turn_id, reader)

    async def _follow(self, key: str) -> None:
        """Others read the same turn from the start, through either process."""
        turn_id, reader = await self._open_stream(key)
        if turn_id is not None:
            followers = [StreamReader() for _ in range(2)]
            await asyncio.gather(
                self._read_to_the_end(turn_id, reader),
                *(self._read_to_the_end(turn_id, each) for each in followers),
            )

    async def _stop(self, key: str) -> None:
        turn_id, reader = await self._open_stream(key)
        if turn_id is None:
            return
        reading = asyncio.create_task(self._read_to_the_end(turn_id, reader))
        await asyncio.sleep(self._rng.uniform(0, 1))
        with connection_may_break():
            await self._client.post(f"{self._turn_url(turn_id)}/stop")
        await reading

    # How they do it

    def _message(self) -> str:
        return " ".join(self._rng.choices(WORDS, k=self._rng.randint(1, 14)))

    def _url(self) -> str:
        return f"{self._rng.choice(self._target.urls)}/api/v1/chatbots"

    def _turn_url(self, turn_id: str) -> str:
        return f"{self._url()}/{turn_id.partition(':')[0]}/turns/{turn_id.partition(':')[2]}"

    async def _ask_until_told(self, key: str, message: str, chatbot: str) -> Told | None:
        """Repeat the request with its key until there is an end: an answer, or that it failed."""
        async for _ in self._attempts():
            self._record.requests += 1
            response = await self._post(chatbot, key, message)
            if response is None:
                continue
            told = self._told_by(response)
            if told is not None:
                self._record.ends.append(told)
            if told is not None or not _is_transient(response):
                return told
        return None

    async def _post(self, chatbot: str, key: str, message: str) -> httpx.Response | None:
        """The response, None if the connection broke."""
        url, headers = f"{self._url()}/{chatbot}/chat", {"Idempotency-Key": key}
        try:
            return await self._client.post(url, json={"message": message}, headers=headers)
        except httpx.TimeoutException:
            raise
        except httpx.TransportError:
            return None

    def _told_by(self, response: httpx.Response) -> Told | None:
        body = response.json()
        if response.status_code == 200:
            data = body["data"]
            charged = data.get("credits", {}).get("charged")
            turn_id = data.get("turnId") or f"message {data['messageId']}"
            return Told(turn_id, data["response"], charged)
        if response.status_code >= 500 and response.status_code not in (502, 503, 504):
            self._violation(f"{response.status_code}: {response.text[:300]}")
        return None

    async def _open_stream(self, key: str) -> tuple[str | None, StreamReader]:
        """Start a stream; returns `chatbot:turn`, None if it never began."""
        message, chatbot = self._message(), self._rng.choice(self._target.chatbots)
        async for _ in self._attempts():
            self._record.requests += 1
            reader = StreamReader()
            with connection_may_break():
                async with self._client.stream(
                    "POST",
                    f"{self._url()}/{chatbot}/chat",
                    json={"message": message, "stream": True},
                    headers={"Idempotency-Key": key},
                ) as response:
                    if response.status_code == 200:
                        await reader.read(response, until=self._rng.choice([None, 1, 3]))
                    else:
                        await response.aread()
                        self._told_by(response)
                        if not _is_transient(response):
                            return None, reader
            if reader.turn_id is not None:
                return f"{chatbot}:{reader.turn_id}", reader
        return None, StreamReader()

    async def _read_to_the_end(self, turn_id: str, reader: StreamReader) -> None:
        """Resume after the last number until the end, through whichever process answers."""
        async for _ in self._attempts():
            if reader.end is not None:
                break
            self._record.requests += 1
            with connection_may_break():
                async with self._client.stream(
                    "GET",
                    f"{self._turn_url(turn_id)}/stream",
                    headers={"Last-Event-ID": str(reader.last_id)} if reader.last_id else {},
                ) as response:
                    if response.status_code == 200:
                        await reader.read(response, until=self._rng.choice([None, None, 4]))
                    else:
                        await response.aread()
                        self._told_by(response)
        for violation in reader.violations:
            self._violation(f"turn {turn_id}: {violation}")
        if reader.end is None:
            self._violation(f"turn {turn_id}: no end was told after number {reader.last_id}")
        else:
            self._record.ends.append(reader.told())

    async def _attempts(self) -> AsyncIterator[None]:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            yield
            await asyncio.sleep(self._rng.uniform(0.5, 1) * RETRY_SECONDS)
        self._violation(f"nothing was told in {GIVE_UP_SECONDS:.0f} s")

    def _violation(self, text: str) -> None:
        self._record.violations.append(text)


def _is_transient(response: httpx.Response) -> bool:
    """Whether the same request may be answered later: refused for an outage, or too early."""
    return response.status_code in (429, 503) and "TURN_ABANDONED" not in response.text


async def run_callers(
    target: Target, rng: random.Random, seconds: float, meanwhile: Callable[[], Awaitable[Any]]
) -> Record:
    """Run CALLERS for so long, with `meanwhile` beside them; wait until each is told its end."""
    record, stopped = Record(), asyncio.Event()
    callers = [
        asyncio.create_task(
            Caller(target, record, random.Random(rng.random()), number).run(stopped)
        )
        for number in range(CALLERS)
    ]
    faults = asyncio.create_task(_collect(meanwhile()))
    await asyncio.sleep(seconds)
    await faults
    stopped.set()
    for caller in callers:
        await caller
    return record


async def _collect(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def describe(record: Record) -> str:
    answered = sum(told.text is not None for told in record.ends)
    return json.dumps({"requests": record.requests, "answers": answered})
