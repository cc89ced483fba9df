"""Rejected WebSocket commands: the errors, and that the socket stays open."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation
from tests.chat_sockets import ChatSocket, Frame, make_paying_caller, open_socket
from tests.factories import Team, make_api_key, make_chatbot, make_language_model
from tests.web_processes import Caller, WebProcess


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_paying_caller(web, live_team, "sandbox/echo")


def send_rejected(socket: ChatSocket, command: str, **fields: Any) -> Frame:
    """Send a command and return the error that it gets."""
    socket.send(command, **fields)
    return socket.receive_until("error")[-1]


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ({"type": "chat.send"}, "message"),
        ({"type": "chat.send", "message": "  "}, "message"),
        ({"type": "chat.send", "message": 5}, "message"),
        ({"type": "chat.send", "message": "a", "stream": True}, "stream"),
        ({"type": "chat.send", "message": "a", "metadata": []}, "metadata"),
        ({"type": "chat.send", "message": "a", "idempotencyKey": ""}, "idempotencyKey"),
        ({"type": "chat.send", "message": "a", "idempotencyKey": 1}, "idempotencyKey"),
        ({"type": "chat.send", "message": "a", "\ud800": 1}, "?"),
        ({"type": "chat.send", "message": "a", "requestId": "r" * 65}, "requestId"),
        ({"type": "chat.send", "message": "a", "requestId": "\ud800"}, "requestId"),
        ({"type": "turn.follow", "turnId": "t", "after": -1}, "after"),
        ({"type": "turn.follow", "turnId": "t", "after": "1"}, "after"),
        ({"type": "turn.follow", "turnId": "t", "after": True}, "after"),
        ({"type": "turn.stop"}, "turnId"),
        ({"type": "turn.stop", "turnId": "\x00"}, "turnId"),
        ({"type": "turn.go"}, "type"),
        ({"type": ["chat.send"]}, "type"),
        ({}, "type"),
    ],
)
def test_invalid_command_is_rejected_and_the_socket_stays_open(
    caller: Caller, command: dict[str, Any], field: str
) -> None:
    with open_socket(caller) as socket:
        socket.connection.send(json.dumps(command))
        error = socket.receive()
        assert (error["type"], error["success"], error["code"]) == (
            "error",
            False,
            "VALIDATION_ERROR",
        )
        assert list(error["details"]) == [field]
        socket.send("chat.send", message="still here")
        assert socket.receive_turn()[-1]["type"] == "message.end"


@pytest.mark.parametrize("message", ["{", "[]", "1", '"a"', "[" * 100_000, b"{}", "", b""])
def test_message_that_is_not_an_object_is_rejected(caller: Caller, message: str | bytes) -> None:
    with open_socket(caller) as socket:
        socket.connection.send(message)
        assert socket.receive()["code"] == "VALIDATION_ERROR"
        assert socket.start_turn("still here")["type"] == "message.start"


def test_rate_limit_is_shared_with_http(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "sandbox/echo", rate_limit_requests=2)
    caller.post("one")
    with open_socket(caller) as socket:
        start = socket.start_turn("two")
        socket.receive_turn()
        error = send_rejected(socket, "chat.send", message="three", requestId="r")
    assert (start["rateLimit"]["limit"], start["rateLimit"]["remaining"]) == (2, 0)
    assert abs(error["rateLimit"].pop("reset") - time.time()) < 100
    assert error.pop("retryAfter") >= 1
    assert error.pop("xRequestId").startswith("req_")
    assert error == {
        "type": "error",
        "requestId": "r",
        "rateLimit": {"limit": 2, "remaining": 0},
        "success": False,
        "error": "Rate limit exceeded. Please wait before sending another message.",
        "code": "RATE_LIMIT_EXCEEDED",
    }


def test_errors_match_http(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "sandbox/slow")
    other_chatbot = make_chatbot(live_team.other_workspace)
    foreign = Conversation.objects.create(
        workspace=live_team.other_workspace, chatbot=other_chatbot
    )
    with open_socket(caller) as socket:
        busy = socket.start_turn("a long message to be echoed")["conversationId"]
        codes = [
            send_rejected(socket, "chat.send", message="a", conversationId=conversation)["code"]
            for conversation in (busy, foreign.id)
        ]
    assert codes == ["CONVERSATION_BUSY", "CONVERSATION_NOT_FOUND"]
    poor = Caller(
        web, make_chatbot(live_team.other_workspace), make_api_key(live_team.other_workspace)
    )
    Chatbot.objects.filter(id=poor.chatbot.id).update(  # type: ignore[union-attr]
        language_model=make_language_model(credits_per_reply=1)
    )
    with open_socket(poor) as socket:
        refusal = socket.start_turn("a")
    assert refusal["code"] == "INSUFFICIENT_CREDITS"
    assert (refusal["needed"], refusal["available"]) == (1, 0)


def test_turn_of_another_chatbot_or_workspace_is_not_found(caller: Caller, live_team: Team) -> None:
    turn_id = caller.post("mine").json()["data"]["turnId"]
    sibling = Caller(caller.web, make_chatbot(live_team.workspace), caller.key)
    other = Caller(
        caller.web, make_chatbot(live_team.other_workspace), make_api_key(live_team.other_workspace)
    )
    for outsider in (sibling, other):
        with open_socket(outsider) as socket:
            for command in ("turn.follow", "turn.stop"):
                error = send_rejected(socket, command, turnId=turn_id, requestId="r")
                assert (error["code"], error["turnId"]) == ("TURN_NOT_FOUND", turn_id)


def test_socket_follows_at_most_20_turns(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "sandbox/silent")
    with open_socket(caller) as socket:
        turns = [socket.start_turn("wait")["turnId"] for _ in range(20)]
        error = send_rejected(socket, "chat.send", message="one more", requestId="r")
        assert (error["code"], error["requestId"]) == ("TOO_MANY_TURNS", "r")
        socket.send("turn.stop", turnId=turns[0])
        frames = [*socket.receive_until("turn.ended", "message.end"), socket.receive()]
        assert {frame["type"] for frame in frames} == {"turn.ended", "message.end"}
        assert socket.start_turn("one more")["type"] == "message.start"
