"""What odd providers send, as callers see it: answer, error, receipt, charge, stored text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from apps.conversations.models import Turn
from apps.infrastructure.postgres.threads import in_thread
from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, message_texts
from tests.factories import Team, make_language_model
from tests.llm.corpus_files import read_stream
from tests.llm.fake_provider import FakeProvider, Script, chunk, serve, usage
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

CREDITS = 100_000
PROMPT_WORDS = 4
"""Of the system prompt and the question of these tests."""


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[FakeProvider]:
    async with serve() as server:
        yield server


@pytest_asyncio.fixture
async def caller(upstream: FakeProvider, web: WebProcess, live_team: Team) -> Caller:
    """A caller who pays a credit a token."""

    def make() -> Caller:
        model = make_language_model(
            "openai/fake",
            api_base=upstream.base_url,
            credits_per_1k_input=1000,
            credits_per_1k_output=1000,
        )
        fields = {"system_prompt": "Be brief.", "max_reply_tokens": 4000, "history_limit": 9}
        return make_caller(web, live_team.workspace, model, credits=CREDITS, **fields)

    return await in_thread(make)


async def post(caller: Caller, message: str = "Greet me.", **fields: Any) -> httpx.Response:
    async with httpx.AsyncClient(verify=SSL_CONTEXT, timeout=30) as client:
        body = {"message": message, **fields}
        return await client.post(caller.url, json=body, headers=caller.all_headers)


@pytest.mark.parametrize(
    ("stream", "status", "outcome", "charged"),
    [
        ("usage-beyond-bigint", 200, "stop", PROMPT_WORDS + 2),
        ("usage-zero", 200, "stop", PROMPT_WORDS + 2),
        ("done-without-brackets", 200, "stop", 9),
        ("bom-stream", 200, "stop", 9),
        ("think-tags", 200, "stop", 16),
        ("finish-safety", 200, "content_filter", 9),
        ("filtered-empty", 200, "content_filter", 7),
        ("refused-azure", 200, "content_filter", 0),
        ("length-while-thinking", 422, "REPLY_LIMIT_REACHED", 57),
        ("error-event-with-details", 502, "MODEL_ERROR", 0),
        ("finish-network_error", 502, "MODEL_ERROR", 0),
        ("busy-overloaded_error", 503, "MODEL_UNAVAILABLE", 0),
    ],
)
async def test_answer_receipt_and_charge_agree(
    upstream: FakeProvider,
    caller: Caller,
    live_team: Team,
    stream: str,
    status: int,
    outcome: str,
    charged: int,
) -> None:
    recorded = read_stream(stream)
    upstream.play(recorded.script)

    response = await post(caller)

    text = recorded.expected["text"]
    assert response.status_code == status
    turn = await in_thread(Turn.objects.get, workspace=live_team.workspace)
    if status == 200:
        data = response.json()["data"]
        assert (data["response"], data["finishReason"], turn.error_code) == (text, outcome, "")
        assert data["credits"] == {"charged": charged, "balance": CREDITS - charged}
    else:
        assert (response.json()["code"], turn.error_code) == (outcome, outcome)
    assert turn.credits_charged == charged <= turn.credits_held
    charges = [-charged] if charged else []
    assert await in_thread(credit_state, live_team.workspace) == (CREDITS - charged, 0, charges)
    stored = ["Greet me.", *([text] if text else [])]
    assert await in_thread(message_texts, live_team.workspace) == stored


async def test_reasoning_is_not_sent_back_as_history(
    upstream: FakeProvider, caller: Caller
) -> None:
    upstream.play(read_stream("think-tags").script, Script())

    first = (await post(caller)).json()["data"]
    await post(caller, "Again.", conversationId=first["conversationId"])

    contents = [message["content"] for message in upstream.requests[1].body["messages"]]
    assert contents == ["Be brief.", "Greet me.", "Hello world", "Again."]


@pytest.mark.parametrize(
    ("message", "pieces", "text", "charged"),
    [
        pytest.param("Hi", (chunk("x"),) * 2000, True, 3 + 2000, id="one-byte-tokens"),
        pytest.param("Hi", (chunk(" internationalization"),) * 200, True, 3 + 200, id="long-words"),
        pytest.param(
            "Hi", (chunk(reasoning_content="Hm."),) * 500, False, 3 + 500, id="while-thinking"
        ),
        pytest.param("word " * 4000, (), False, 4002, id="before-the-first-word"),
        pytest.param("Hi", (chunk("x"), usage(10, 20)) * 5, True, 30, id="usage-in-every-chunk"),
    ],
)
async def test_stop_is_charged_as_far_as_it_came(
    upstream: FakeProvider,
    caller: Caller,
    live_team: Team,
    message: str,
    pieces: Iterable[bytes],
    text: bool,
    charged: int,
) -> None:
    upstream.play(Script(pieces=(b"".join(pieces),), ending="hang"))
    task = asyncio.create_task(post(caller, message, stream=True))
    while not upstream.pieces_sent:  # noqa: ASYNC110 - a test may poll every 10 ms
        await asyncio.sleep(0.01)
    turn = await in_thread(Turn.objects.get, workspace=live_team.workspace)
    url = f"{caller.url.removesuffix('/chat')}/turns/{turn.id}"
    async with httpx.AsyncClient(verify=SSL_CONTEXT, headers=caller.all_headers) as client:
        if text:
            await wait_for_text(client, f"{url}/stream")
        else:
            await asyncio.sleep(0.3)  # what is no text cannot be seen from here
        stopped = (await client.post(f"{url}/stop")).json()["data"]
        await task
    assert (stopped["finishReason"], stopped["credits"]["charged"]) == ("stopped", charged)
    assert await in_thread(credit_state, live_team.workspace) == (
        CREDITS - charged,
        0,
        [-charged],
    )


async def wait_for_text(client: httpx.AsyncClient, url: str) -> None:
    """Follow the turn's stream until it has text."""
    async with client.stream("GET", url) as response:
        async for line in response.aiter_lines():
            if '"message.delta"' in line:
                return


def test_answer_that_the_total_timeout_cuts_is_charged(own_web: StartWeb, live_team: Team) -> None:
    web = own_web(MODEL_TOTAL_TIMEOUT=1)
    model = make_language_model("sandbox/long", credits_per_1k_output=1000)
    caller = make_caller(web, live_team.workspace, model, credits=CREDITS)

    data = caller.post().json()["data"]

    words = len(data["response"].split())
    assert (data["finishReason"], data["credits"]["charged"]) == ("length", words)
    assert 0 < words < 200
    assert credit_state(live_team.workspace) == (CREDITS - words, 0, [-words])


async def test_prompt_longer_than_the_context_is_refused(
    upstream: FakeProvider, caller: Caller, live_team: Team
) -> None:
    root, _, path = caller.url.partition("/chatbots/")
    async with httpx.AsyncClient(verify=SSL_CONTEXT) as client:
        response = await client.post(
            f"{root}/openai/chat/completions",
            json={
                "model": path.removesuffix("/chat"),
                "messages": [
                    {"role": "system", "content": "x" * 900_000},
                    {"role": "user", "content": "Hello"},
                ],
            },
            headers=caller.all_headers,
        )
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        400,
        "VALIDATION_ERROR",
        "messages",
    )
    assert "tokens long" in error["message"]
    assert upstream.requests == []
    assert await in_thread(credit_state, live_team.workspace) == (CREDITS, 0, [])
