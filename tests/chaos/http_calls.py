"""Calls of the chat endpoint: JSON, server-sent events, resuming, stopping, repeating.

Each request has an idempotency key, so that it can be repeated.
"""

from __future__ import annotations

import asyncio

import httpx

from tests.chaos.record import Told, told_answer
from tests.chaos.session import Session, connection_may_break
from tests.chaos.turn_reader import TurnReader, read_stream


class HttpCalls:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._rng = session.rng
        self.choices = [self._ask, self._ask_twice, self._stream, self._follow, self._stop]

    async def _ask(self, key: str) -> None:
        await self.ask(key, self._session.message(), self._session.chatbot())

    async def _ask_twice(self, key: str) -> None:
        """Two callers with one key: they are told the same."""
        message, chatbot = self._session.message(), self._session.chatbot()
        first, second = await asyncio.gather(*(self.ask(key, message, chatbot) for _ in range(2)))
        if first and second and first != second:
            self._session.violation(f"one key was told {first} and {second}")

    async def _stream(self, key: str) -> None:
        if reader := await self.open_stream(key):
            await self.read_to_the_end(reader)

    async def _follow(self, key: str) -> None:
        """Others read the same turn from the start, through either process."""
        if reader := await self.open_stream(key):
            followers = [TurnReader(reader.chatbot, reader.turn_id) for _ in range(2)]
            await asyncio.gather(*map(self.read_to_the_end, [reader, *followers]))

    async def _stop(self, key: str) -> None:
        reader = await self.open_stream(key)
        if reader is None:
            return
        reading = asyncio.create_task(self.read_to_the_end(reader))
        await asyncio.sleep(self._rng.uniform(0, 1))
        with connection_may_break():
            response = await self._session.client.post(f"{self._turn_url(reader)}/stop")
            if self._told_by(response) is None:
                self._session.is_refusal_transient(response)
        await reading

    def _turn_url(self, reader: TurnReader) -> str:
        api_url = self._session.api_url()
        return f"{api_url}/chatbots/{reader.chatbot}/turns/{reader.turn_id}"

    async def ask(self, key: str, message: str, chatbot: str) -> Told | None:
        """Repeat the request with its key until there is an answer; None if the turn failed."""
        async for _ in self._session.attempts():
            self._session.count("json")
            url = f"{self._session.api_url()}/chatbots/{chatbot}/chat"
            response = await self._session.post(url, {"message": message}, key)
            if response is None:
                continue
            told = self._told_by(response)
            if told is not None or not self._session.is_refusal_transient(response):
                return told
        return None

    def _told_by(self, response: httpx.Response) -> Told | None:
        """The answer in a response, which is recorded; None if it is a refusal."""
        if response.status_code != 200:
            return None
        told = told_answer(response.json()["data"])
        self._session.tell(told)
        return told

    async def open_stream(self, key: str) -> TurnReader | None:
        """Start a stream and read some of it; None if the turn failed before its first word."""
        message, chatbot = self._session.message(), self._session.chatbot()
        async for _ in self._session.attempts():
            self._session.count("sse")
            reader = TurnReader(chatbot)
            with connection_may_break():
                async with self._session.client.stream(
                    "POST",
                    f"{self._session.api_url()}/chatbots/{chatbot}/chat",
                    json={"message": message, "stream": True},
                    headers={"Idempotency-Key": key},
                ) as response:
                    if response.status_code == 200:
                        await read_stream(response, reader, self._rng.choice([None, 1, 3]))
                    else:
                        await response.aread()
                        if not self._session.is_refusal_transient(response):
                            return None
            if reader.turn_id is not None or reader.violations:
                return reader
        return None

    async def read_to_the_end(self, reader: TurnReader) -> None:
        """Resume after the last number until the end, through whichever process answers."""
        async for _ in self._session.attempts():
            if reader.end is not None:
                break
            self._session.count("sse")
            with connection_may_break():
                async with self._session.client.stream(
                    "GET",
                    f"{self._turn_url(reader)}/stream",
                    headers={"Last-Event-ID": str(reader.last_id)} if reader.last_id else {},
                ) as response:
                    if response.status_code == 200:
                        await read_stream(response, reader, self._rng.choice([None, None, 4]))
                    else:
                        await response.aread()
                        self._session.is_refusal_transient(response)
        self._session.tell_end(reader)
