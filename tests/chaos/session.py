"""What a caller has for its calls: an HTTP client, choices, patience and the record."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.chaos.record import Record, Target, Told
from tests.chaos.turn_reader import TurnReader
from tests.web_processes import SSL_CONTEXT

CLIENT_SECONDS = 120.0
"""The longest that a caller waits for anything: longer is a violation."""
GIVE_UP_SECONDS = 180.0
RETRY_SECONDS = 0.3
FINAL_CODES = ("TURN_ABANDONED", "KNOWLEDGE_UNAVAILABLE")
"""What the same request, with its key, is told again."""
NOTHING_FOUND_SHARE = 0.2
"""Messages about which no knowledge base has a word."""
WORDS = "one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905


@contextmanager
def connection_may_break() -> Iterator[None]:
    """Suppress the loss of a connection, but not a wait that was too long."""
    try:
        yield
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        pass


class Session:
    """One caller's session with the target."""

    def __init__(self, target: Target, record: Record, rng: random.Random) -> None:
        self.target = target
        self.record = record
        self.rng = rng
        self.client = httpx.AsyncClient(
            headers=self.headers, verify=SSL_CONTEXT, timeout=httpx.Timeout(CLIENT_SECONDS)
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.target.key}"}

    def message(self) -> str:
        if self.rng.random() < NOTHING_FOUND_SHARE:
            return "thanks"
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(1, 14)))

    def chatbot(self) -> str:
        return self.rng.choice(self.target.chatbots)

    def url(self) -> str:
        """The address of either web server."""
        return self.rng.choice(self.target.urls)

    def api_url(self) -> str:
        return f"{self.url()}/api/v1"

    async def post(self, url: str, body: Any, key: str) -> httpx.Response | None:
        """Send a request with an idempotency key; None if the connection broke."""
        try:
            return await self.client.post(url, json=body, headers={"Idempotency-Key": key})
        except httpx.TimeoutException:
            raise
        except httpx.TransportError:
            return None

    async def attempts(self) -> AsyncIterator[None]:
        """Attempts with pauses; none, and a violation, after GIVE_UP_SECONDS."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            yield
            await self.pause()
        self.violation(f"nothing was told in {GIVE_UP_SECONDS:.0f} s")

    def count(self, transport: str) -> None:
        """Count a request or a connection."""
        self.record.requests[transport] += 1

    async def pause(self) -> None:
        await asyncio.sleep(self.rng.uniform(0.5, 1) * RETRY_SECONDS)

    def is_refusal_transient(self, response: httpx.Response) -> bool:
        """Whether the same request may be answered later: refused for an outage, or too early.

        No fault of ours excuses an error in the server, or makes a correct request wrong.
        """
        status = response.status_code
        if status >= 400 and status not in (408, 429, 502, 503, 504):
            self.violation(f"{status}: {response.text[:300]}")
        is_final = any(code in response.text for code in FINAL_CODES)
        return status in (408, 429, 503) and not is_final

    def tell(self, told: Told) -> None:
        self.record.ends.append(told)

    def tell_end(self, reader: TurnReader) -> None:
        """Record the end that a reader was told, and what it saw that must not be."""
        for violation in reader.violations:
            self.violation(f"turn {reader.turn_id}: {violation}")
        if reader.end is None:
            self.violation(f"turn {reader.turn_id}: no end after number {reader.last_id}")
        else:
            self.tell(reader.told())

    def violation(self, text: str) -> None:
        self.record.violations.append(text)
