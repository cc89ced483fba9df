"""Stopping a turn closes the connection to the model; the delivered text is charged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from apps.infrastructure.postgres.threads import in_thread
from tests.e2e.database_state import credit_state, message_texts
from tests.factories import Team, make_language_model
from tests.llm.fake_provider import FakeProvider, serve, streamed_answer
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

WORDS_PER_SECOND = 50
WORDS = [f" word{number}" for number in range(400)]


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[FakeProvider]:
    """A model that sends 50 words a second, for 8 seconds."""
    async with serve() as server:
        server.stream(*streamed_answer(*WORDS), pace=1 / WORDS_PER_SECOND)
        yield server


async def test_stop_from_another_process_closes_the_model_connection(
    upstream: FakeProvider, web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    here, there = web_pair
    caller = await in_thread(make_model_caller, here, live_team, upstream.base_url)
    async with httpx.AsyncClient(
        headers=caller.all_headers, verify=SSL_CONTEXT, timeout=20
    ) as client:
        body = {"message": "Go on", "stream": True}
        async with client.stream("POST", caller.url, json=body) as response:
            lines = response.aiter_lines()
            turn_id = await read_turn_id(lines)
            await read_words(lines, 5)
            url = f"{caller.at(there).url.removesuffix('/chat')}/turns/{turn_id}"
            stopping = asyncio.create_task(client.post(f"{url}/stop"))
            await upstream.wait_for_close()
            stopped = (await stopping).json()["data"]
        receipt = (await client.get(url)).json()["data"]
    assert upstream.pieces_sent < len(WORDS)
    assert upstream.early_closes == 1
    delivered = stopped["response"]
    assert "".join(WORDS)[: len(delivered)] == delivered
    assert 5 <= len(delivered.split()) < 400
    # A credit for each token of the prompt, and two for each token of the answer.
    price = stopped["usage"]["inputTokens"] + 2 * len(delivered.split())
    assert stopped["credits"] == {"charged": price, "balance": 100_000 - price}
    assert (receipt["status"], receipt["credits"]["charged"]) == ("stopped", price)
    assert await in_thread(credit_state, live_team.workspace) == (100_000 - price, 0, [-price])
    assert await in_thread(message_texts, live_team.workspace) == ["Go on", delivered]


def make_model_caller(web: WebProcess, team: Team, api_base: str) -> Caller:
    """A caller whose chatbot uses the model at this address."""
    model = make_language_model(
        "openai/fake", api_base=api_base, credits_per_1k_input=1000, credits_per_1k_output=2000
    )
    return make_caller(web, team.workspace, model, credits=100_000)


async def read_turn_id(lines: AsyncIterator[str]) -> str:
    """Read the turn id from the first frame of a stream."""
    async for line in lines:
        if '"turnId"' in line:
            return line.split('"turnId":"')[1][:25]
    raise AssertionError("the stream ended without a turn")


async def read_words(lines: AsyncIterator[str], number: int) -> None:
    """Read this many words."""
    left = number
    async for line in lines:
        left -= '"delta"' in line
        if not left:
            return
