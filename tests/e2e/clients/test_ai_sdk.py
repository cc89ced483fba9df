"""The Vercel AI SDK and eventsource-parser against the chat endpoint."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from apps.conversations.models import Message
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.node_clients import requires_node, run_node
from tests.web_processes import Caller, WebProcess

pytestmark = [pytest.mark.node, requires_node]


def make_priced_caller(
    web: WebProcess, team: Team, model: str = "sandbox/echo", **fields: Any
) -> Caller:
    grant_credits(team.workspace, 100)
    priced = make_language_model(model, credits_per_reply=1)
    return Caller(web, make_chatbot(team.workspace, priced, **fields), make_api_key(team.workspace))


def chatbot_url(caller: Caller) -> str:
    return caller.url.removesuffix("/chat")


def json_headers(caller: Caller) -> dict[str, str]:
    return {**caller.all_headers, "Content-Type": "application/json"}


def ui_stream(caller: Caller, message: str = "Hello there", **options: Any) -> Any:
    """Start a turn with Parley's own body and read its stream with the AI SDK."""
    return run_node(
        "read_ui_stream.mjs",
        url=f"{caller.url}?protocol=ai-sdk",
        method="POST",
        headers=json_headers(caller),
        body={"message": message},
        **options,
    )


def use_chat(caller: Caller, *texts: str, **options: Any) -> Any:
    """Send these messages with the AI SDK's chat class."""
    api = f"{caller.url}?protocol=ai-sdk"
    return run_node(
        "use_chat.mjs", api=api, headers=caller.all_headers, texts=list(texts), **options
    )


def text_of(message: Any) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def test_ai_sdk_reads_the_stream_as_one_message(web: WebProcess, live_team: Team) -> None:
    read = ui_stream(make_priced_caller(web, live_team))
    assert (read["status"], read["invalid"], read["errors"]) == (200, [], [])
    assert read["headers"]["content-type"].startswith("text/event-stream")
    assert read["headers"]["x-vercel-ai-ui-message-stream"] == "v1"
    assert read["headers"]["x-ratelimit-limit"] == "60"
    kinds = [chunk["type"] for chunk in read["chunks"]]
    deltas = ["text-delta"] * 3
    assert kinds == ["start", "text-start", *deltas, "text-end", "finish"]
    message = read["message"]
    answer = Message.objects.get(id=message["id"])
    assert text_of(message) == answer.text == "Echo: Hello there"
    assert [part["state"] for part in message["parts"]] == ["done"]
    assert message["metadata"] == {
        "conversationId": answer.conversation_id,
        "turnId": answer.turn_id,
        # 9 words of the chatbot's system prompt and 2 of the message.
        "usage": {"inputTokens": 11, "outputTokens": 3},
        "credits": {"charged": 1, "balance": 99},
    }


def test_header_selects_the_protocol(web: WebProcess, live_team: Team) -> None:
    caller = make_priced_caller(web, live_team)
    caller.headers["X-Parley-Protocol"] = "ai-sdk"
    response = caller.post("Hello", stream=True)
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.text.startswith('data: {"type":"start",')
    assert response.text.endswith("\n\ndata: [DONE]\n\n")


def test_use_chat_continues_its_conversation(web: WebProcess, live_team: Team) -> None:
    chat = use_chat(make_priced_caller(web, live_team), "One", "Two")
    assert (chat["status"], chat["error"]) == ("ready", None)
    assert [text_of(m) for m in chat["messages"]] == ["One", "Echo: One", "Two", "Echo: Two"]
    conversations = {m["metadata"]["conversationId"] for m in chat["messages"][1::2]}
    assert len(conversations) == 1
    stored = Message.objects.filter(conversation_id=conversations.pop()).order_by("created_at")
    assert [m.text for m in stored] == ["One", "Echo: One", "Two", "Echo: Two"]
    assert chat["finishes"] == [{"finishReason": "stop", "isError": False}] * 2


def test_use_chat_regenerates_an_answer(web: WebProcess, live_team: Team) -> None:
    chat = use_chat(make_priced_caller(web, live_team), "One", "Two", regenerate=True)
    assert [text_of(m) for m in chat["messages"]] == ["One", "Echo: One", "Two", "Echo: Two"]
    conversation_id = chat["messages"][-1]["metadata"]["conversationId"]
    assert chat["messages"][1]["metadata"]["conversationId"] == conversation_id
    assert Message.objects.filter(conversation_id=conversation_id).count() == 6


def test_use_chat_resumes_a_turn(web: WebProcess, live_team: Team) -> None:
    caller = make_priced_caller(web, live_team)
    resume_url = f"{chatbot_url(caller)}/turns/TURN/stream?protocol=ai-sdk"
    chat = use_chat(caller, "One", resumeUrl=resume_url)
    assert (chat["status"], chat["error"]) == ("ready", None)
    assert [text_of(m) for m in chat["messages"]] == ["One", "Echo: One"]
    assert Message.objects.filter(id=chat["messages"][-1]["id"]).exists()


def test_stopped_turn_ends_with_abort(web: WebProcess, live_team: Team) -> None:
    caller = make_priced_caller(web, live_team, "sandbox/long")
    read = ui_stream(caller, stopUrl=f"{chatbot_url(caller)}/turns/TURN/stop")
    kinds = [chunk["type"] for chunk in read["chunks"]]
    assert (kinds[-3:], read["invalid"]) == (["text-end", "message-metadata", "abort"], [])
    answer = Message.objects.get(id=read["message"]["id"])
    assert text_of(read["message"]) == answer.text
    assert read["message"]["metadata"]["credits"] == {"charged": 1, "balance": 99}


def test_failure_midway_is_an_error_part(web: WebProcess, live_team: Team) -> None:
    read = ui_stream(make_priced_caller(web, live_team, "sandbox/fail-midway"), "a b c d e")
    assert read["errors"] == ["The language model failed to answer. Nothing was charged."]
    assert read["message"]["metadata"]["errorCode"] == "MODEL_ERROR"
    assert text_of(read["message"]) == "Echo: a b"


def test_use_chat_reports_an_error_before_the_stream(web: WebProcess, live_team: Team) -> None:
    chat = use_chat(make_priced_caller(web, live_team, rate_limit_requests=1), "One", "Two")
    assert chat["status"] == "error"
    assert '"code":"RATE_LIMIT_EXCEEDED"' in chat["error"]


def test_finished_turn_is_replayed_with_the_same_parts(web: WebProcess, live_team: Team) -> None:
    caller = make_priced_caller(web, live_team)
    live = ui_stream(caller)
    turn_id = live["message"]["metadata"]["turnId"]
    url = f"{chatbot_url(caller)}/turns/{turn_id}/stream?protocol=ai-sdk"
    replay = run_node("read_ui_stream.mjs", url=url, method="GET", headers=caller.all_headers)
    assert replay["chunks"] == live["chunks"]
    assert replay["headers"]["x-vercel-ai-ui-message-stream"] == "v1"
    resumed = httpx.get(url, headers={**caller.all_headers, "Last-Event-ID": "2"})
    assert (resumed.status_code, resumed.json()["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "parts": [{"type": "file", "url": "x"}]}]}, "messages"),
        ({"messages": [{"role": "user", "parts": []}]}, "messages"),
        ({"message": "Hello", "stream": False}, "stream"),
        ({"message": "Hello", "temperature": 1}, "temperature"),
    ],
)
def test_invalid_bodies_are_rejected(
    web: WebProcess, live_team: Team, body: dict[str, Any], field: str
) -> None:
    caller = make_priced_caller(web, live_team)
    url = f"{caller.url}?protocol=ai-sdk"
    response = httpx.post(url, json=body, headers=caller.all_headers)
    assert response.status_code == 400
    assert list(response.json()["details"]) == [field]


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ({"protocol": "carrier-pigeon"}, {}),
        ({"protocol": ""}, {}),
        ({}, {"X-Parley-Protocol": "carrier-pigeon"}),
        ({"protocol": "ai-sdk"}, {"X-Parley-Protocol": "carrier-pigeon"}),
    ],
)
def test_unknown_protocol_is_rejected(
    web: WebProcess, live_team: Team, query: dict[str, str], header: dict[str, str]
) -> None:
    caller = make_priced_caller(web, live_team)
    response = httpx.post(
        caller.url,
        params=query,
        json={"message": "Hello"},
        headers={**caller.all_headers, **header},
    )
    assert (response.status_code, list(response.json()["details"])) == (400, ["protocol"])


def test_eventsource_parser_reads_native_events(web: WebProcess, live_team: Team) -> None:
    caller = make_priced_caller(web, live_team)
    read = run_node(
        "read_events.mjs",
        url=caller.url,
        method="POST",
        headers=json_headers(caller),
        body={"message": "Hello", "stream": True},
    )
    events = ["message.start", "message.delta", "message.delta", "message.end"]
    assert [event.get("event") for event in read["events"]] == [*events, None]
    assert [event.get("id") for event in read["events"]] == ["1", "2", "3", "4", None]
    assert read["events"][-1]["data"] == "[DONE]"
