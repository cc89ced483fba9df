"""The playground over HTTP: the chat engine for a signed-in member."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.chatbots.models import Chatbot
from apps.conversations.models import Message, Turn
from apps.credits.queries import balance_for
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.web_processes import SSL_CONTEXT, Frame, WebProcess, parse_frames

MODEL = "sandbox/echo"


class Playground:
    """A member's browser, without the page around the chat."""

    def __init__(self, web: WebProcess, team: Team, chatbot: Chatbot, user: User) -> None:
        browser = Client()
        browser.force_login(user)
        self.url = f"{web.url}/w/{team.workspace.slug}/chatbots/{chatbot.id}/playground"
        self.http = httpx.Client(timeout=30, verify=SSL_CONTEXT)
        self.http.cookies.set("sessionid", browser.cookies["sessionid"].value)
        self.http.cookies.set("csrftoken", "t" * 32)
        self.http.headers["X-CSRFToken"] = "t" * 32

    def post(self, message: str = "Hello there", **fields: Any) -> httpx.Response:
        return self.http.post(f"{self.url}/chat", data={"message": message, **fields})

    def end(self, message: str = "Hello there", **fields: Any) -> dict[str, Any]:
        """The `data` of a whole answer's last event."""
        last = parse_frames(self.post(message, **fields).text)[-2]
        assert isinstance(last, Frame)
        data: dict[str, Any] = last.data["data"]
        return data

    @contextmanager
    def stream(self, message: str) -> Iterator[httpx.Response]:
        with self.http.stream("POST", f"{self.url}/chat", data={"message": message}) as response:
            yield response


@pytest.fixture
def chatbot(live_team: Team) -> Chatbot:
    grant_credits(live_team.workspace, 100)
    return make_chatbot(live_team.workspace, make_language_model(MODEL, credits_per_reply=2))


OpenPlayground = Callable[[Chatbot], Playground]


@pytest.fixture
def open_playground(web: WebProcess, live_team: Team) -> Iterator[OpenPlayground]:
    """Bob at the playground of a chatbot."""
    opened: list[Playground] = []

    def at(chatbot: Chatbot) -> Playground:
        opened.append(Playground(web, live_team, chatbot, live_team.bob))
        return opened[-1]

    yield at
    for playground in opened:
        playground.http.close()


@pytest.fixture
def bob(open_playground: OpenPlayground, chatbot: Chatbot) -> Playground:
    return open_playground(chatbot)


def changes(chatbot: Chatbot, **fields: Any) -> dict[str, Any]:
    """The form of changes as it is sent, with these."""
    whole = {
        "system_prompt": chatbot.system_prompt,
        "language_model": chatbot.language_model_id,
        "temperature": chatbot.temperature,
        "max_reply_tokens": chatbot.max_reply_tokens,
        "history_limit": chatbot.history_limit,
    }
    return {"changed": "1", **whole, **fields}


def test_answer_is_streamed_and_charged(bob: Playground, chatbot: Chatbot) -> None:
    response = bob.post("one two")
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    start, *deltas, end, done = parse_frames(response.text)
    assert isinstance(start, Frame)
    assert isinstance(end, Frame)
    assert done == "[DONE]"
    assert [frame.event for frame in deltas] == ["message.delta"] * 3  # type: ignore[union-attr]
    assert end.data["data"]["response"] == "Echo: one two"
    assert end.data["data"]["credits"] == {"charged": 2, "balance": 98}
    turn = Turn.objects.get(id=start.data["turnId"])
    assert (turn.chatbot_id, turn.api_key_id) == (chatbot.id, None)
    assert turn.request_id == response.headers["X-Request-Id"]
    assert Message.objects.get(turn=turn, role="user").metadata == {"source": "playground"}


def test_conversation_is_continued(bob: Playground) -> None:
    first = bob.end("one")
    second = bob.end("two", conversationId=first["conversationId"])
    assert second["conversationId"] == first["conversationId"]
    assert Turn.objects.filter(conversation_id=first["conversationId"]).count() == 2


def test_inactive_chatbot_answers(bob: Playground, chatbot: Chatbot) -> None:
    Chatbot.objects.filter(id=chatbot.id).update(is_active=False)
    assert bob.end("still there")["response"] == "Echo: still there"


def test_unsaved_changes_are_used_but_not_saved(bob: Playground, chatbot: Chatbot) -> None:
    other = make_language_model("sandbox/echo", credits_per_reply=7)
    data = bob.end("dear", **changes(chatbot, language_model=other.id))
    assert data["credits"] == {"charged": 7, "balance": 93}
    assert Turn.objects.get(id=data["turnId"]).model_name == other.name
    chatbot.refresh_from_db()
    assert chatbot.language_model_id != other.id


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"message": " "}, {"message": ["The message is empty."]}),
        ({"changed": "1", "temperature": "9"}, "temperature"),
    ],
)
def test_invalid_fields_are_rejected(
    bob: Playground, chatbot: Chatbot, fields: dict[str, Any], details: Any
) -> None:
    given = changes(chatbot, **fields) if "changed" in fields else fields
    response = bob.post(**{"message": "Hi", **given})
    body = response.json()
    assert (response.status_code, body["code"]) == (400, "VALIDATION_ERROR")
    if isinstance(details, str):
        assert list(body["details"]) == [details]
    else:
        assert body["details"] == details
    assert Turn.objects.filter(chatbot=chatbot).count() == 0


def test_rate_limit_applies(bob: Playground, chatbot: Chatbot) -> None:
    Chatbot.objects.filter(id=chatbot.id).update(rate_limit_requests=1)
    bob.end("one")
    refused = bob.post("two")
    assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(refused.headers["Retry-After"]) == refused.json()["retryAfter"]


def test_insufficient_credits_are_rejected(bob: Playground, chatbot: Chatbot) -> None:
    dear = make_language_model("sandbox/echo", credits_per_reply=101)
    refused = bob.post("Hi", **changes(chatbot, language_model=dear.id))
    assert (refused.status_code, refused.json()["code"]) == (402, "INSUFFICIENT_CREDITS")
    assert (refused.json()["needed"], refused.json()["available"]) == (101, 100)
    assert balance_for(chatbot.workspace_id).held == 0


def test_early_model_failure_is_returned_as_error(bob: Playground, chatbot: Chatbot) -> None:
    failing = make_language_model("sandbox/fail-before")
    refused = bob.post("Hi", **changes(chatbot, language_model=failing.id))
    assert (refused.status_code, refused.json()["success"]) == (502, False)


def test_stopped_turn_keeps_its_text(open_playground: OpenPlayground, live_team: Team) -> None:
    slow = make_chatbot(live_team.workspace, "sandbox/slow")
    bob = open_playground(slow)
    with bob.stream(" ".join(["word"] * 50)) as response:
        lines = response.iter_lines()
        assert any('"delta"' in line for line in lines)
        turn = Turn.objects.get(chatbot=slow)
        answer = bob.http.post(f"{bob.url}/stop", data={"turnId": turn.id}).json()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    turn.refresh_from_db()
    assert (turn.status, answer["data"]["finishReason"]) == ("stopped", "stopped")
    assert answer["data"]["response"] == Message.objects.get(turn=turn, role="assistant").text


@pytest.mark.parametrize("turn", ["", "%00", "\x00", "c" + "0" * 24, "theirs"])
def test_unknown_turn_cannot_be_stopped(
    bob: Playground, open_playground: OpenPlayground, live_team: Team, turn: str
) -> None:
    if turn == "theirs":
        other = make_chatbot(live_team.workspace, MODEL)
        turn = open_playground(other).end("elsewhere")["turnId"]
    answer = bob.http.post(f"{bob.url}/stop", data={"turnId": turn})
    assert (answer.status_code, answer.json()["code"]) == (404, "TURN_NOT_FOUND")


def test_request_without_csrf_token_is_rejected(bob: Playground, chatbot: Chatbot) -> None:
    del bob.http.headers["X-CSRFToken"]
    assert bob.post("spend").status_code == 403
    assert Turn.objects.filter(chatbot=chatbot).count() == 0
