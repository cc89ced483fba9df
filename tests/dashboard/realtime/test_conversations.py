"""Conversations on the dashboard's WebSocket, while they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.queries import newest_message
from apps.dashboard.realtime.conversations import fetch_updates
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.conftest import StartWeb
from tests.dashboard.realtime.live_socket import live_socket, watch_conversation
from tests.e2e.database_state import turn_statuses
from tests.factories import Team, make_chatbot, make_user
from tests.turns.turn_factory import complete_turn, make_running_turn, new_turn, open_turn_blocking
from tests.web_processes import Caller, Frame, WebProcess, free_port, parse_frames


def start_conversation(caller: Caller) -> str:
    """The id of a new conversation with one completed turn."""
    conversation_id: str = caller.post("Hi").json()["data"]["conversationId"]
    return conversation_id


def as_live_frames(frames: list[Frame | str], **context: str) -> list[dict[str, Any]]:
    """The frames of an event stream as the WebSocket sends them."""
    start = frames[0]
    assert isinstance(start, Frame)
    context["turnId"] = start.data["turnId"]
    context["conversationId"] = start.data["conversationId"]
    return [{"id": f.id, **context, **f.data} for f in frames if isinstance(f, Frame)]


def test_turn_of_another_process_is_streamed_to_a_viewer(
    web_pair: tuple[WebProcess, WebProcess], caller: Caller, live_team: Team
) -> None:
    conversation_id = start_conversation(caller)
    viewer = make_user("viewer")
    add_member(workspace=live_team.workspace, user=viewer, role=Role.VIEWER)
    with (
        watch_conversation(web_pair[1], live_team, conversation_id, viewer) as socket,
        caller.stream("one two three four", conversationId=conversation_id, metadata={"a": 1}) as r,
    ):
        created, *events = socket.receive_until("message.delta")
        assert turn_statuses(live_team.workspace) == ["completed", "running"]
        events += socket.receive_turn()
        r.read()
    message = Message.objects.get(turn_id=events[0]["turnId"], role="user")
    created["message"].pop("createdAt")
    assert created == {
        "type": "message.created",
        "requestId": "w",
        "conversationId": conversation_id,
        "turnId": message.turn_id,
        "message": {"id": message.id, "role": "user", "text": "one two three four"},
    }
    assert events == as_live_frames(parse_frames(r.text), requestId="w")


def test_running_turn_is_streamed_from_its_start(caller: Caller, live_team: Team) -> None:
    with caller.stream("one two three four five six") as response:
        assert any('"delta"' in line for line in response.iter_lines())
        conversation_id = Conversation.objects.get(workspace=live_team.workspace).id
        with watch_conversation(caller.web, live_team, conversation_id) as socket:
            frames = socket.receive_turn()
    assert [frame["id"] for frame in frames] == list(range(1, 10))
    assert frames[-1]["data"]["response"] == "Echo: one two three four five six"


def test_messages_after_a_given_one_are_sent_in_order_once(caller: Caller, live_team: Team) -> None:
    conversation_id = start_conversation(caller)
    seen = Message.objects.get(conversation_id=conversation_id, role="user")
    caller.post("again", conversationId=conversation_id)
    with watch_conversation(caller.web, live_team, conversation_id, after=seen.id) as socket:
        earlier = [*socket.receive_turn(), *socket.receive_turn()]
        caller.post("anew", conversationId=conversation_id)
        later = socket.receive_turn()
    kinds = [[frame["type"].split(".")[1] for frame in frames] for frames in (earlier, later)]
    turn = ["start", "delta", "delta", "end"]
    assert kinds == [[*turn, "created", *turn], ["created", *turn]]
    responses = [f["data"]["response"] for f in earlier + later if f["type"] == "message.end"]
    assert responses == ["Echo: Hi", "Echo: again", "Echo: anew"]


def test_turn_opened_during_a_poll_is_found_by_its_message(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    before = make_running_turn(chatbot)
    complete_turn(before)
    conversation = before.conversation
    seen = newest_message(conversation)
    pending = iter([new_turn(chatbot, conversation_id=conversation.id)])
    late: list[Turn] = []

    def open_after_first_query(run: Callable[..., Any], *statement: Any) -> Any:
        rows = run(*statement)
        late.extend(open_turn_blocking(new)[0] for new in pending)
        return rows

    with connection.execute_wrapper(open_after_first_query):
        running, messages = fetch_updates(conversation, seen)
    assert (running, [message.turn for message in messages]) == (None, late)
    assert fetch_updates(conversation, messages[-1]) == (late[0], [])


def test_unwatched_conversation_is_not_sent(caller: Caller, live_team: Team) -> None:
    unwatched, watched = start_conversation(caller), start_conversation(caller)
    with watch_conversation(caller.web, live_team, unwatched) as socket:
        socket.send("conversation.unwatch", conversationId=unwatched)
        assert socket.receive()["type"] == "conversation.unwatched"
        socket.send("conversation.watch", conversationId=watched)
        assert socket.receive()["type"] == "conversation.watched"
        caller.post("not sent", conversationId=unwatched)
        caller.post("sent", conversationId=watched)
        assert [frame["conversationId"] for frame in socket.receive_turn()] == [watched] * 5


@pytest.mark.parametrize(
    ("command", "fields", "code"),
    [
        ("conversation.watch", {"conversationId": "c-nothing"}, "CONVERSATION_NOT_FOUND"),
        ("conversation.watch", {"conversationId": "theirs"}, "CONVERSATION_NOT_FOUND"),
        ("conversation.watch", {"conversationId": "ours", "after": "theirs"}, "VALIDATION_ERROR"),
        ("conversation.watch", {"conversationId": "\x00"}, "VALIDATION_ERROR"),
        ("conversation.watch", {}, "VALIDATION_ERROR"),
        ("conversation.unwatch", {"conversationId": ""}, "VALIDATION_ERROR"),
        ("counters.watch", {"every": 1}, "VALIDATION_ERROR"),
        ("chat.send", {"message": "Hi"}, "VALIDATION_ERROR"),
    ],
)
def test_invalid_command_is_rejected_and_socket_stays_open(
    web: WebProcess, live_team: Team, command: str, fields: dict[str, Any], code: str
) -> None:
    ours, theirs = (
        Conversation.objects.create(workspace=workspace, chatbot=make_chatbot(workspace))
        for workspace in (live_team.workspace, live_team.other_workspace)
    )
    ids = {"ours": ours.id, "theirs": theirs.id}
    with live_socket(web, live_team.workspace, live_team.bob) as socket:
        socket.send(command, requestId="r", **{k: ids.get(v, v) for k, v in fields.items()})
        error = socket.receive_until("error")[-1]
        assert (error["code"], error["requestId"]) == (code, "r")
        socket.send("conversation.watch", conversationId=ours.id)
        assert socket.receive()["type"] == "conversation.watched"


def test_at_most_20_conversations_can_be_watched(web: WebProcess, live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace)
    conversations = [
        Conversation.objects.create(workspace=live_team.workspace, chatbot=chatbot).id
        for _ in range(21)
    ]
    with live_socket(web, live_team.workspace, live_team.bob) as socket:
        socket.send("counters.watch")
        socket.receive_until("counters")
        for conversation_id in conversations[:20]:
            socket.send("conversation.watch", conversationId=conversation_id)
            socket.receive_until("conversation.watched")
        socket.send("conversation.watch", conversationId=conversations[20])
        assert socket.receive()["code"] == "TOO_MANY_CONVERSATIONS"
        socket.send("conversation.watch", conversationId=conversations[0])
        assert socket.receive()["type"] == "conversation.watched"


def test_turn_is_sent_after_its_end_while_redis_is_down(
    own_web: StartWeb, caller: Caller, live_team: Team
) -> None:
    isolated = own_web(ready_path="healthz", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    conversation_id = start_conversation(caller)
    with watch_conversation(isolated, live_team, conversation_id) as socket:
        frames = caller.frames("sent late", conversationId=conversation_id)
        assert socket.receive_turn()[1:] == as_live_frames(frames, requestId="w")
