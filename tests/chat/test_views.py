"""The chat endpoint: JSON mode, choice of the mode, and headers."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from apps.conversations.models import Conversation, Message
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller, parse_frames

ID = re.compile(r"c[0-9a-z]{24}")


def test_chat_responds_with_json(web: WebProcess, live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    chatbot = make_chatbot(
        live_team.workspace, make_language_model(credits_per_reply=2), system_prompt="Be brief."
    )
    response = Caller(web, chatbot, make_api_key(live_team.workspace)).post("Hello there")
    body = response.json()
    ids = [body["data"].pop(name) for name in ("conversationId", "messageId", "turnId")]
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert [bool(ID.fullmatch(each)) for each in ids] == [True, True, True]
    assert body == {
        "success": True,
        "data": {
            "response": "Echo: Hello there",
            "finishReason": "stop",
            "usage": {"inputTokens": 4, "outputTokens": 3},
            "credits": {"charged": 2, "balance": 8},
        },
    }


def test_chat_saves_both_messages(web: WebProcess, live_team: Team) -> None:
    data = make_caller(web, live_team.workspace).post("Hello").json()["data"]
    messages = Message.objects.filter(conversation_id=data["conversationId"]).order_by("created_at")
    assert list(messages.values_list("role", "text", "turn_id")) == [
        ("user", "Hello", data["turnId"]),
        ("assistant", "Echo: Hello", data["turnId"]),
    ]
    assert messages.get(role="assistant").id == data["messageId"]


def test_max_reply_tokens_ends_the_answer(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace, max_reply_tokens=2)
    data = caller.post("one two three").json()["data"]
    assert (data["response"], data["finishReason"]) == ("Echo: one", "length")


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("stream", [True, False, None, "absent"])
def test_stream_overrides_the_chatbots_default(
    web: WebProcess, live_team: Team, *, default: bool, stream: bool | str | None
) -> None:
    caller = make_caller(web, live_team.workspace, stream_by_default=default)
    response = caller.post(**({} if stream == "absent" else {"stream": stream}))
    streamed = response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert streamed == (stream if isinstance(stream, bool) else default)
    assert bool(parse_frames(response.text) if streamed else response.json()["data"])


def test_conversation_continues(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    first = caller.post("Hello").json()["data"]
    second = caller.post("Again", conversationId=first["conversationId"]).json()["data"]
    assert second["conversationId"] == first["conversationId"]
    assert list(
        Message.objects.filter(conversation_id=first["conversationId"])
        .order_by("created_at", "id")
        .values_list("text", flat=True)
    ) == ["Hello", "Echo: Hello", "Again", "Echo: Again"]


def test_missing_conversation_id_starts_a_conversation(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    ids = {caller.post().json()["data"]["conversationId"] for _ in range(2)}
    assert Conversation.objects.filter(workspace=live_team.workspace, id__in=ids).count() == 2


def test_rate_limit_headers_count_down(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(
        web, live_team.workspace, rate_limit_requests=3, rate_limit_window_seconds=100
    )
    started_at = time.time()
    responses = [caller.post(stream=stream) for stream in (False, True, False)]
    assert [response.headers["X-RateLimit-Limit"] for response in responses] == ["3", "3", "3"]
    assert [response.headers["X-RateLimit-Remaining"] for response in responses] == ["2", "1", "0"]
    resets = {int(response.headers["X-RateLimit-Reset"]) for response in responses}
    assert len(resets) == 1
    assert started_at + 99 <= resets.pop() <= time.time() + 102


def test_rejected_requests_take_no_slot_of_the_rate_limit(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace, rate_limit_requests=1)
    outsider = Caller(web, caller.chatbot, make_api_key(live_team.other_workspace))
    weak = Caller(web, caller.chatbot, make_api_key(live_team.workspace, ["read"]))
    statuses = [
        caller.post("").status_code,
        outsider.post().status_code,
        weak.post().status_code,
        Caller(web, caller.chatbot, "wrong").post().status_code,
        caller.post().status_code,
        caller.post().status_code,
    ]
    assert statuses == [400, 404, 403, 401, 200, 429]


def test_slot_is_free_after_the_window(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(
        web, live_team.workspace, rate_limit_requests=1, rate_limit_window_seconds=1
    )
    assert [caller.post().status_code, caller.post().status_code] == [200, 429]
    time.sleep(1.05)
    assert caller.post().status_code == 200


def test_each_request_has_a_unique_id(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    own_id = {"X-Request-Id": "mine"}
    ids = {caller.post().headers["X-Request-Id"] for _ in range(3)}
    ids.add(
        httpx.get(f"{web.url}/healthz", headers=own_id, verify=SSL_CONTEXT).headers["X-Request-Id"]
    )
    assert len({each for each in ids if re.fullmatch(r"req_[0-9a-f]{24}", each)}) == 4


def test_responses_are_not_cached(web: WebProcess, live_team: Team) -> None:
    headers = make_caller(web, live_team.workspace).post().headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_scheme_is_case_insensitive(web: WebProcess, live_team: Team, scheme: str) -> None:
    caller = make_caller(web, live_team.workspace)
    headers = {"Authorization": f"{scheme} {caller.key}"}
    response = httpx.post(
        caller.url, json={"message": "Hello"}, headers=headers, verify=SSL_CONTEXT
    )
    assert response.status_code == 200


@pytest.mark.parametrize("value", ["Basic abc", "Bearer", "{key}", "Token {key}"])
def test_malformed_authorization_header_is_rejected(
    web: WebProcess, live_team: Team, value: str
) -> None:
    caller = make_caller(web, live_team.workspace)
    headers = {"Authorization": value.format(key=caller.key)}
    response = httpx.post(
        caller.url, json={"message": "Hello"}, headers=headers, verify=SSL_CONTEXT
    )
    assert (response.status_code, response.json()["code"]) == (401, "INVALID_API_KEY")
