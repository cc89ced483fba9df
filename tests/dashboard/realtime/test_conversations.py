"""What the dashboard hears of a workspace while it happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from websockets.sync.client import connect

from apps.accounts.models import User
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.queries import newest_message
from apps.dashboard.realtime.conversations import fetch_updates
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.services import add_member
from tests.conftest import StartWeb
from tests.e2e.database_state import turns, wait_until
from tests.factories import Team, make_chatbot, make_user
from tests.sockets import Line, paying_caller
from tests.turns.new_turns import completed, new_turn, open_turn_blocking, opened
from tests.web_processes import Caller, Frame, WebProcess, free_port, parse_frames

Pair = tuple[WebProcess, WebProcess]


def cookie_of(user: User) -> tuple[Client, dict[str, str]]:
    """A browser in which the person is signed in, and the header that it sends."""
    browser = Client()
    browser.force_login(user)
    return browser, {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}


@contextmanager
def ear(
    web: WebProcess,
    workspace: Workspace | str,
    user: User | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[Line]:
    """A socket on which a person listens to a workspace."""
    workspace_id = workspace if isinstance(workspace, str) else workspace.id
    address = f"ws://127.0.0.1:{web.port}/ws/v1/workspaces/{workspace_id}/live"
    cookie = cookie_of(user)[1] if user else {}
    with connect(
        address, additional_headers=cookie | (headers or {}), close_timeout=1, **options
    ) as socket:
        yield Line(socket)


@contextmanager
def watching(
    web: WebProcess, team: Team, conversation_id: str, user: User | None = None, **fields: Any
) -> Iterator[Line]:
    """The same, with a conversation watched."""
    with ear(web, team.workspace, user or team.bob) as line:
        assert line.frame()["type"] == "member"
        line.say("conversation.watch", conversationId=conversation_id, requestId="w", **fields)
        watched = line.frame()
        assert watched.pop("xRequestId").startswith("req_")
        about = {"requestId": "w", "conversationId": conversation_id}
        assert watched == {"type": "conversation.watched", **about}
        yield line


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return paying_caller(web, live_team, "sandbox/slow")


def begun(caller: Caller) -> str:
    """A conversation with one whole turn in it."""
    conversation_id: str = caller.post("Hi").json()["data"]["conversationId"]
    return conversation_id


def as_told(frames: list[Frame | str], **about: str) -> list[dict[str, Any]]:
    """A stream's frames as the ear tells them."""
    start = frames[0]
    assert isinstance(start, Frame)
    about["turnId"] = start.data["turnId"]
    about["conversationId"] = start.data["conversationId"]
    return [{"id": f.id, **about, **f.data} for f in frames if isinstance(f, Frame)]


def test_viewer_hears_a_turn_of_another_process_while_it_runs(
    web_pair: Pair, caller: Caller, live_team: Team
) -> None:
    conversation_id = begun(caller)
    viewer = make_user("viewer")
    add_member(workspace=live_team.workspace, user=viewer, role=Role.VIEWER)
    with (
        watching(web_pair[1], live_team, conversation_id, viewer) as line,
        caller.stream("one two three four", conversationId=conversation_id, metadata={"a": 1}) as r,
    ):
        created, *told = line.until("message.delta")
        assert turns(live_team.workspace) == ["completed", "running"]
        told += line.turn()
        r.read()
    message = Message.objects.get(turn_id=told[0]["turnId"], role="user")
    created["message"].pop("createdAt")
    assert created == {
        "type": "message.created",
        "requestId": "w",
        "conversationId": conversation_id,
        "turnId": message.turn_id,
        "message": {"id": message.id, "role": "user", "text": "one two three four"},
    }
    assert told == as_told(parse_frames(r.text), requestId="w")


def test_turn_that_runs_already_is_told_from_its_start(caller: Caller, live_team: Team) -> None:
    with caller.stream("one two three four five six") as response:
        assert any('"delta"' in line for line in response.iter_lines())
        conversation_id = Conversation.objects.get(workspace=live_team.workspace).id
        with watching(caller.web, live_team, conversation_id) as line:
            frames = line.turn()
    assert [frame["id"] for frame in frames] == list(range(1, 10))
    assert frames[-1]["data"]["response"] == "Echo: one two three four five six"


def test_what_came_after_a_message_is_told_in_order_and_once(
    caller: Caller, live_team: Team
) -> None:
    conversation_id = begun(caller)
    seen = Message.objects.get(conversation_id=conversation_id, role="user")
    caller.post("again", conversationId=conversation_id)
    with watching(caller.web, live_team, conversation_id, after=seen.id) as line:
        missed = [*line.turn(), *line.turn()]
        caller.post("anew", conversationId=conversation_id)
        fresh = line.turn()
    kinds = [[frame["type"].split(".")[1] for frame in frames] for frames in (missed, fresh)]
    turn = ["start", "delta", "delta", "end"]
    assert kinds == [[*turn, "created", *turn], ["created", *turn]]
    said = [f["data"]["response"] for f in missed + fresh if f["type"] == "message.end"]
    assert said == ["Echo: Hi", "Echo: again", "Echo: anew"]


def test_turn_that_opens_during_a_look_is_not_found_without_its_message(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    before = opened(chatbot)
    completed(before)
    conversation = before.conversation
    seen = newest_message(conversation)
    to_open = iter([new_turn(chatbot, conversation_id=conversation.id)])
    late: list[Turn] = []

    def open_after_the_first(run: Callable[..., Any], *statement: Any) -> Any:
        rows = run(*statement)
        late.extend(open_turn_blocking(new)[0] for new in to_open)
        return rows

    with connection.execute_wrapper(open_after_the_first):
        running, messages = fetch_updates(conversation, seen)
    assert (running, [message.turn for message in messages]) == (None, late)
    assert fetch_updates(conversation, messages[-1]) == (late[0], [])


def test_conversation_that_is_unwatched_is_not_told(caller: Caller, live_team: Team) -> None:
    left, kept = begun(caller), begun(caller)
    with watching(caller.web, live_team, left) as line:
        line.say("conversation.unwatch", conversationId=left)
        assert line.frame()["type"] == "conversation.unwatched"
        line.say("conversation.watch", conversationId=kept)
        assert line.frame()["type"] == "conversation.watched"
        caller.post("not told", conversationId=left)
        caller.post("told", conversationId=kept)
        assert [frame["conversationId"] for frame in line.turn()] == [kept] * 5


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
def test_what_cannot_be_watched_is_refused_and_the_socket_stays(
    web: WebProcess, live_team: Team, command: str, fields: dict[str, Any], code: str
) -> None:
    ours, theirs = (
        Conversation.objects.create(workspace=workspace, chatbot=make_chatbot(workspace))
        for workspace in (live_team.workspace, live_team.other_workspace)
    )
    ids = {"ours": ours.id, "theirs": theirs.id}
    with ear(web, live_team.workspace, live_team.bob) as line:
        line.say(command, requestId="r", **{k: ids.get(v, v) for k, v in fields.items()})
        error = line.until("error")[-1]
        assert (error["code"], error["requestId"]) == (code, "r")
        line.say("conversation.watch", conversationId=ours.id)
        assert line.frame()["type"] == "conversation.watched"


def test_at_most_twenty_conversations_are_watched(web: WebProcess, live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace)
    conversations = [
        Conversation.objects.create(workspace=live_team.workspace, chatbot=chatbot).id
        for _ in range(21)
    ]
    with ear(web, live_team.workspace, live_team.bob) as line:
        line.say("counters.watch")
        line.until("counters")
        for conversation_id in conversations[:20]:
            line.say("conversation.watch", conversationId=conversation_id)
            line.until("conversation.watched")
        line.say("conversation.watch", conversationId=conversations[20])
        assert line.frame()["code"] == "TOO_MANY_CONVERSATIONS"
        line.say("conversation.watch", conversationId=conversations[0])
        assert line.frame()["type"] == "conversation.watched"


def test_counters_are_told_at_once_and_when_they_change(caller: Caller, live_team: Team) -> None:
    def told(running: int, lately: int, balance: int, held: int) -> dict[str, Any]:
        credits = {"balance": balance, "held": held}
        about = {"type": "counters", "requestId": "c"}
        return {**about, "runningTurns": running, "turnsLastMinute": lately, "credits": credits}

    with ear(caller.web, live_team.workspace, live_team.bob) as line:
        line.frame()
        line.say("counters.watch", requestId="c")
        first = line.frame()
        assert first.pop("xRequestId").startswith("req_")
        assert first == told(0, 0, 1000, 0)
        caller.post(" ".join(["word"] * 20))
        assert line.frame() == told(1, 1, 1000, 1)
        assert line.frame() == told(0, 1, 999, 0)


def test_turn_that_cannot_be_followed_is_told_when_it_has_ended(
    own_web: StartWeb, caller: Caller, live_team: Team
) -> None:
    alone = own_web(until="healthz", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    conversation_id = begun(caller)
    with watching(alone, live_team, conversation_id) as line:
        whole = caller.frames("told late", conversationId=conversation_id)
        assert line.turn()[1:] == as_told(whole, requestId="w")


# Who may listen


def strangers(team: Team) -> dict[str, tuple[dict[str, str], int, str]]:
    """Headers of those who may not, and how they are refused."""
    elsewhere = {"Origin": "https://elsewhere.example"}
    bob = cookie_of(team.bob)[1]
    key = {"Authorization": "Bearer sk-workspace_anything"}
    return {
        "nobody": ({}, 4401, "NOT_SIGNED_IN"),
        "a made-up cookie": ({"Cookie": "sessionid=x"}, 4401, "NOT_SIGNED_IN"),
        "another's member": (cookie_of(team.charlie)[1], 4404, "WORKSPACE_NOT_FOUND"),
        "another site": (bob | elsewhere, 4403, "ORIGIN_NOT_ALLOWED"),
        "another site, with a key": (bob | elsewhere | key, 4403, "ORIGIN_NOT_ALLOWED"),
    }


@pytest.mark.parametrize(
    "who",
    ["nobody", "a made-up cookie", "another's member", "another site", "another site, with a key"],
)
def test_stranger_is_told_and_closed(web: WebProcess, live_team: Team, who: str) -> None:
    headers, close, code = strangers(live_team)[who]
    with ear(web, live_team.workspace, headers=headers) as line:
        got, reason, frames = line.closed()
    assert (got, reason) == (close, code)
    assert [(frame["type"], frame["code"]) for frame in frames] == [("error", code)]


@pytest.mark.parametrize("workspace_id", ["c-nothing", "%00", "c" + "0" * 24])
def test_workspace_that_is_none_is_not_found(
    web: WebProcess, live_team: Team, workspace_id: str
) -> None:
    with ear(web, workspace_id, live_team.bob) as line:
        assert line.closed()[:2] == (4404, "WORKSPACE_NOT_FOUND")


def removed(member: Member, browser: Client) -> None:
    member.delete()


def signed_out(member: Member, browser: Client) -> None:
    browser.logout()


def with_another_password(member: Member, browser: Client) -> None:
    member.user.set_password("another-password")
    member.user.save()


def deactivated(member: Member, browser: Client) -> None:
    User.objects.filter(id=member.user_id).update(is_active=False)


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (removed, (4403, "No longer a member")),
        (signed_out, (4401, "Signed out")),
        (with_another_password, (4401, "Signed out")),
        (deactivated, (4401, "Signed out")),
    ],
)
def test_one_who_may_not_listen_any_more_is_closed(
    web: WebProcess,
    live_team: Team,
    change: Callable[[Member, Client], None],
    end: tuple[int, str],
) -> None:
    member = Member.objects.get(workspace=live_team.workspace, user=live_team.bob)
    browser, cookie = cookie_of(live_team.bob)
    with (
        ear(web, live_team.workspace, headers=cookie) as line,
        ear(web, live_team.workspace, live_team.alice) as bystander,
    ):
        assert line.frame() == {"type": "member", "role": "member"}
        change(member, browser)
        assert line.closed() == (*end, [])
        bystander.say("counters.watch")
        assert bystander.until("counters")[0] == {"type": "member", "role": "owner"}


def test_change_of_role_is_told(web: WebProcess, live_team: Team) -> None:
    member = Member.objects.get(workspace=live_team.workspace, user=live_team.bob)
    with ear(web, live_team.workspace, live_team.bob) as line:
        assert line.frame()["role"] == "member"
        Member.objects.filter(id=member.id).update(role=Role.VIEWER)
        assert line.frame() == {"type": "member", "role": "viewer"}


def test_membership_is_asked_at_each_command(web: WebProcess, live_team: Team) -> None:
    with ear(web, live_team.workspace, live_team.bob) as line:
        line.frame()
        Member.objects.filter(workspace=live_team.workspace, user=live_team.bob).delete()
        line.say("counters.watch")
        close, reason, frames = line.closed()
    assert (close, reason) == (4403, "No longer a member")
    assert [frame["type"] for frame in frames] in ([], ["error"])


def test_idle_ear_is_kept_open_by_heartbeats(web: WebProcess, live_team: Team) -> None:
    with ear(web, live_team.workspace, live_team.bob) as line:
        line.frame()
        assert json.loads(line.socket.recv(timeout=10)) == {"type": "heartbeat"}


def test_stopping_process_does_not_wait_for_those_who_listen(
    own_web: StartWeb, live_team: Team
) -> None:
    web = own_web()
    caller = paying_caller(web, live_team, "sandbox/slow")
    with caller.stream(" ".join(["word"] * 20)) as response:
        lines = response.iter_lines()
        assert any('"delta"' in line for line in lines)
        turn = Turn.objects.get(workspace=live_team.workspace)
        with watching(web, live_team, turn.conversation_id) as line:
            line.until("message.delta")
            web.terminate()
            assert line.closed()[:2] == (1012, "Restarting")
            assert turns(live_team.workspace) == ["running"]
        assert [line for line in lines if line][-1] == "data: [DONE]"
    wait_until(lambda: turns(live_team.workspace) == ["completed"])
