"""Turns that use knowledge."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from apps.chatbots.models import Chatbot, LanguageModel
from apps.conversations.models import Citation, Turn
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for
from apps.knowledge.models import KnowledgeBase
from tests.factories import Team, make_language_model
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.chatbot_knowledge import OPENING, RETURNS, give_knowledge
from tests.llm.fake_provider import FakeProvider
from tests.web_processes import SSL_CONTEXT, Caller, Frame, WebProcess, make_caller, parse_frames

QUESTION = "Until when can parcels be returned?"
NOTHING = "Thank you!"


def make_knowing_caller(
    web: WebProcess, team: Team, model: LanguageModel | str = "sandbox/cite", **fields: Any
) -> tuple[Caller, KnowledgeBase]:
    caller = make_caller(web, team.workspace, model, **fields)
    assert isinstance(caller.chatbot, Chatbot)
    return caller, give_knowledge(caller.chatbot)


def break_embedding(base: KnowledgeBase) -> None:
    """Let questions not be embedded any more."""
    failing = make_embedding_model("sandbox/embed-fail")
    KnowledgeBase.objects.filter(id=base.id).update(embedding_model=failing)


def test_answer_has_sources_and_says_which_it_cites(web: WebProcess, live_team: Team) -> None:
    caller, _ = make_knowing_caller(web, live_team, knowledge_passages=1)
    data = caller.post(QUESTION).json()["data"]
    (source,) = data["sources"]
    assert data["response"] == f"Echo: {QUESTION} [1]"
    assert data["knowledge"] == "found"
    assert source | {"sourceId": "…"} == {
        "number": 1,
        "sourceId": "…",
        "title": "Returns",
        "url": None,
        "page": None,
        "quote": RETURNS,
        "cited": True,
    }
    turn = Turn.objects.get(id=data["turnId"])
    (citation,) = Citation.objects.filter(turn=turn)
    assert (citation.text, citation.source_id) == (RETURNS, source["sourceId"])
    assert turn.knowledge == "found"
    assert turn.retrieval_ms is not None


def test_sources_come_before_the_first_text_and_again_with_the_end(
    web: WebProcess, live_team: Team
) -> None:
    caller, base = make_knowing_caller(web, live_team)
    frames = [frame for frame in caller.frames(QUESTION, stream=True) if isinstance(frame, Frame)]
    start, sources, *deltas, end = frames
    assert [frame.id for frame in frames] == list(range(1, len(frames) + 1))
    assert (start.event, sources.event, end.event) == (
        "message.start",
        "message.sources",
        "message.end",
    )
    assert {frame.event for frame in deltas} == {"message.delta"}
    told = sources.data["sources"]
    assert [source["number"] for source in told] == list(range(1, len(told) + 1))
    assert [{**source, "cited": True} for source in told] == end.data["data"]["sources"]
    base.sources.all().update(live_generation_id=None)  # indexed again, or gone
    url = caller.url.removesuffix("/chat") + f"/turns/{start.data['turnId']}/stream"
    replayed = httpx.get(url, headers=caller.all_headers, timeout=30, verify=SSL_CONTEXT)
    assert parse_frames(replayed.text) == [*frames, "[DONE]"]


def test_passages_are_fenced_in_the_question_alone(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    model = make_language_model("openai/tiny", api_base=upstream.base_url)
    caller, _ = make_knowing_caller(web, live_team, model, system_prompt="Be kind.")
    first = caller.post(QUESTION).json()["data"]
    system, user = upstream.requests[-1].body["messages"]
    assert system["content"].startswith(
        "Be kind.\n\nThe last message begins with numbered passages"
    )
    assert RETURNS not in system["content"]
    opening, passages = user["content"].split("\n", 1)
    assert opening.startswith("<passages ")
    assert f"[1] Returns\n{RETURNS}\n" in passages
    assert passages.endswith(f"</{opening[1:]}\n\n{QUESTION}")
    caller.post("Thanks", conversationId=first["conversationId"])
    texts = [each["content"] for each in upstream.requests[-1].body["messages"]]
    assert texts[-3] == QUESTION


def test_nothing_found_leaves_the_prompt_as_it_is(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    model = make_language_model("openai/tiny", api_base=upstream.base_url)
    caller, _ = make_knowing_caller(web, live_team, model, system_prompt="Be kind.")
    data = caller.post(NOTHING).json()["data"]
    assert (data["knowledge"], data["sources"]) == ("nothing_found", [])
    system, user = upstream.requests[-1].body["messages"]
    assert (system["content"], user["content"]) == ("Be kind.", NOTHING)


def test_only_from_knowledge_gives_the_fixed_reply_for_free(
    web: WebProcess, live_team: Team
) -> None:
    caller, _ = make_knowing_caller(
        web,
        live_team,
        make_language_model("sandbox/fail-before", credits_per_reply=5),
        credits=10_000,
        knowledge_mode="only",
        knowledge_not_found_reply="Please call us.",
    )
    data = caller.post(NOTHING).json()["data"]
    assert (data["response"], data["finishReason"]) == ("Please call us.", "stop")
    assert (data["knowledge"], data["sources"]) == ("nothing_found", [])
    assert data["credits"]["charged"] == 0
    assert not LedgerEntry.objects.filter(turn_id=data["turnId"]).exists()
    assert balance_for(live_team.workspace.id).held == 0


def test_search_that_fails_is_told_and_the_turn_goes_on(web: WebProcess, live_team: Team) -> None:
    caller, base = make_knowing_caller(web, live_team)
    break_embedding(base)
    data = caller.post(QUESTION).json()["data"]
    assert (data["response"], data["knowledge"]) == (f"Echo: {QUESTION}", "unavailable")
    assert data["sources"] == []


@pytest.mark.parametrize("stream", [False, True])
def test_only_from_knowledge_fails_for_free_without_a_search(
    web: WebProcess, live_team: Team, stream: bool
) -> None:
    caller, base = make_knowing_caller(web, live_team, knowledge_mode="only")
    break_embedding(base)
    response = caller.post(QUESTION, stream=stream)
    assert (response.status_code, response.json()["code"]) == (503, "KNOWLEDGE_UNAVAILABLE")
    turn = Turn.objects.get(workspace=live_team.workspace)
    assert (turn.status, turn.credits_charged, turn.knowledge) == ("failed", 0, "unavailable")


def test_model_that_fails_first_is_no_stream(web: WebProcess, live_team: Team) -> None:
    caller, _ = make_knowing_caller(web, live_team, "sandbox/fail-before")
    assert caller.post(QUESTION, stream=True).status_code == 502


def test_knowledge_that_is_off_leaves_no_trace(web: WebProcess, live_team: Team) -> None:
    caller, _ = make_knowing_caller(web, live_team, knowledge_mode="off")
    data = caller.post(QUESTION).json()["data"]
    assert data["response"] == f"Echo: {QUESTION}"
    assert not data.keys() & {"knowledge", "sources"}


def test_hold_covers_the_passages(web: WebProcess, live_team: Team) -> None:
    model = make_language_model("sandbox/cite", credits_per_1k_input=1000)
    caller, _ = make_knowing_caller(web, live_team, model, credits=10_000, knowledge_tokens=500)
    with_knowledge = Turn.objects.get(id=caller.post(QUESTION).json()["data"]["turnId"])
    assert with_knowledge.credits_held > 2000 > with_knowledge.credits_charged > 0


def test_follow_up_is_searched_with_the_question_before(web: WebProcess, live_team: Team) -> None:
    caller, _ = make_knowing_caller(web, live_team, knowledge_passages=1)
    first = caller.post("When does the shop in Lisbon open?").json()["data"]
    assert [source["quote"] for source in first["sources"]] == [OPENING]
    second = caller.post("And on Sundays?", conversationId=first["conversationId"]).json()["data"]
    assert [source["quote"] for source in second["sources"]] == [OPENING]
