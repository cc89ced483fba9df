"""Calls of OpenAI's chat completions, whole and in chunks.

Its chunks have no numbers: who has lost a stream repeats the request with its key, and is told the
turn from the start.
"""

from __future__ import annotations

from typing import Any

import httpx

from tests.chaos.record import Sources, Told, told_sources
from tests.chaos.session import Session, connection_may_break
from tests.chaos.turn_reader import DONE, INTERRUPTIONS, frames_of
from tests.web_processes import Frame


class CompletionReader:
    """One connection's chunks."""

    def __init__(self) -> None:
        self.turn_id = ""
        self.text = ""
        self.sources = Sources()
        self.charged: int | None = None
        self.finish_reason: str | None = None
        self.error_code: str | None = None
        self.violations: list[str] = []

    async def read(self, response: httpx.Response) -> None:
        is_done = False
        async for frame in frames_of(response):
            if is_done:
                self.violations.append(f"{frame} came after {DONE}")
            is_done = frame == DONE
            if isinstance(frame, Frame):
                self._take(frame.data)
        # The connection was not lost, so the server has said all.
        if not (is_done and (self.error_code or self.charged is not None)):
            self.violations.append(f"the stream ended after {self.text!r}, with no end")

    def _take(self, chunk: dict[str, Any]) -> None:
        if self.error_code or self.charged is not None:
            self.violations.append(f"{chunk} came after the end")
        if "error" in chunk:
            self.error_code = chunk["error"]["code"]
            return
        self.turn_id = self.turn_id or chunk["metadata"]["turnId"]
        if chunk["id"] != f"chatcmpl-{self.turn_id}":
            self.violations.append(f"a chunk of {chunk['id']} was told")
        for choice in chunk["choices"]:
            if self.finish_reason is not None:
                self.violations.append(f"{choice} came after {self.finish_reason}")
            self.text += choice["delta"].get("content", "")
            self.finish_reason = choice["finish_reason"]
        if "knowledge" in chunk:
            self.sources = told_sources(chunk)
        if "credits" in chunk:
            self.charged = chunk["credits"]["charged"]

    def told(self) -> Told | None:
        """The end of the turn; None if it may go on."""
        if self.charged is not None:
            return Told(self.turn_id, self.text, self.charged, sources=self.sources)
        if self.error_code and self.error_code not in INTERRUPTIONS:
            return Told(self.turn_id, None, None, code=self.error_code)
        return None


class CompletionCalls:
    def __init__(self, session: Session) -> None:
        self._session = session
        self.choices = [self._complete, self._stream]

    async def _complete(self, key: str) -> None:
        body = self._body()
        async for _ in self._session.attempts():
            self._session.count("completion")
            response = await self._session.post(self._url(), body, key)
            if response is None:
                continue
            if response.status_code == 200:
                self._session.tell(_told_by(response.json()))
                return
            if not self._session.is_refusal_transient(response):
                return

    async def _stream(self, key: str) -> None:
        """Repeat the request until there is an end; each connection begins with the same text."""
        body = {**self._body(), "stream": True, "stream_options": {"include_usage": True}}
        texts: dict[str, str] = {}
        async for _ in self._session.attempts():
            self._session.count("completion")
            reader = CompletionReader()
            with connection_may_break():
                async with self._session.client.stream(
                    "POST", self._url(), json=body, headers={"Idempotency-Key": key}
                ) as response:
                    if response.status_code == 200:
                        await reader.read(response)
                    else:
                        await response.aread()
                        if not self._session.is_refusal_transient(response):
                            return
            for violation in reader.violations:
                self._session.violation(f"completion {reader.turn_id}: {violation}")
            earlier = texts.get(reader.turn_id, "")
            shorter = min(len(earlier), len(reader.text))
            if earlier[:shorter] != reader.text[:shorter]:
                self._session.violation(f"{reader.text!r} was told after {earlier!r}")
            texts[reader.turn_id] = max(earlier, reader.text, key=len)
            if told := reader.told():
                self._session.tell(told)
                return

    def _url(self) -> str:
        return f"{self._session.api_url()}/openai/chat/completions"

    def _body(self) -> dict[str, Any]:
        history = [
            {"role": "user", "content": self._session.message()},
            {"role": "assistant", "content": self._session.message()},
        ]
        question = {"role": "user", "content": self._session.message()}
        messages = [*self._session.rng.choice([[], history]), question]
        return {"model": self._session.chatbot(), "messages": messages}


def _told_by(completion: dict[str, Any]) -> Told:
    content = completion["choices"][0]["message"]["content"]
    turn_id = completion["metadata"]["turnId"]
    charged, sources = completion["credits"]["charged"], told_sources(completion)
    return Told(turn_id, content, charged, sources=sources)
