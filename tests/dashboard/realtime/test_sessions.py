"""Access to the dashboard's WebSocket: who may open it, and when it is closed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.conversations.models import Turn
from apps.workspaces.models import Member, Role
from tests.chat_sockets import make_paying_caller
from tests.conftest import StartWeb
from tests.dashboard.realtime.live_socket import live_socket, session_cookie, watch_conversation
from tests.e2e.database_state import turn_statuses, wait_until
from tests.factories import Team
from tests.web_processes import WebProcess


def unauthorized_cases(team: Team) -> dict[str, tuple[dict[str, str], int, str]]:
    """Headers without access, each with the close code and the error code."""
    elsewhere = {"Origin": "https://elsewhere.example"}
    bob = session_cookie(team.bob)[1]
    key = {"Authorization": "Bearer sk-workspace_anything"}
    return {
        "nobody": ({}, 4401, "NOT_SIGNED_IN"),
        "a made-up cookie": ({"Cookie": "sessionid=x"}, 4401, "NOT_SIGNED_IN"),
        "another's member": (session_cookie(team.charlie)[1], 4404, "WORKSPACE_NOT_FOUND"),
        "another site": (bob | elsewhere, 4403, "ORIGIN_NOT_ALLOWED"),
        "another site, with a key": (bob | elsewhere | key, 4403, "ORIGIN_NOT_ALLOWED"),
    }


@pytest.mark.parametrize(
    "who",
    ["nobody", "a made-up cookie", "another's member", "another site", "another site, with a key"],
)
def test_unauthorized_socket_gets_an_error_and_is_closed(
    web: WebProcess, live_team: Team, who: str
) -> None:
    headers, close, code = unauthorized_cases(live_team)[who]
    with live_socket(web, live_team.workspace, headers=headers) as socket:
        got, reason, frames = socket.wait_closed()
    assert (got, reason) == (close, code)
    assert [(frame["type"], frame["code"]) for frame in frames] == [("error", code)]


@pytest.mark.parametrize("workspace_id", ["c-nothing", "%00", "c" + "0" * 24])
def test_unknown_workspace_is_not_found(
    web: WebProcess, live_team: Team, workspace_id: str
) -> None:
    with live_socket(web, workspace_id, live_team.bob) as socket:
        assert socket.wait_closed()[:2] == (4404, "WORKSPACE_NOT_FOUND")


def remove_member(member: Member, browser: Client) -> None:
    member.delete()


def sign_out(member: Member, browser: Client) -> None:
    browser.logout()


def change_password(member: Member, browser: Client) -> None:
    member.user.set_password("another-password")
    member.user.save()


def deactivate_user(member: Member, browser: Client) -> None:
    User.objects.filter(id=member.user_id).update(is_active=False)


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (remove_member, (4403, "No longer a member")),
        (sign_out, (4401, "Signed out")),
        (change_password, (4401, "Signed out")),
        (deactivate_user, (4401, "Signed out")),
    ],
)
def test_socket_is_closed_when_access_ends(
    web: WebProcess,
    live_team: Team,
    change: Callable[[Member, Client], None],
    end: tuple[int, str],
) -> None:
    member = Member.objects.get(workspace=live_team.workspace, user=live_team.bob)
    browser, cookie = session_cookie(live_team.bob)
    with (
        live_socket(web, live_team.workspace, headers=cookie) as socket,
        live_socket(web, live_team.workspace, live_team.alice) as other,
    ):
        assert socket.receive() == {"type": "member", "role": "member"}
        change(member, browser)
        assert socket.wait_closed() == (*end, [])
        other.send("counters.watch")
        assert other.receive_until("counters")[0] == {"type": "member", "role": "owner"}


def test_changed_role_is_sent(web: WebProcess, live_team: Team) -> None:
    member = Member.objects.get(workspace=live_team.workspace, user=live_team.bob)
    with live_socket(web, live_team.workspace, live_team.bob) as socket:
        assert socket.receive()["role"] == "member"
        Member.objects.filter(id=member.id).update(role=Role.VIEWER)
        assert socket.receive() == {"type": "member", "role": "viewer"}


def test_membership_is_checked_on_each_command(web: WebProcess, live_team: Team) -> None:
    with live_socket(web, live_team.workspace, live_team.bob) as socket:
        socket.receive()
        Member.objects.filter(workspace=live_team.workspace, user=live_team.bob).delete()
        socket.send("counters.watch")
        close, reason, frames = socket.wait_closed()
    assert (close, reason) == (4403, "No longer a member")
    assert [frame["type"] for frame in frames] in ([], ["error"])


def test_idle_socket_gets_heartbeats(web: WebProcess, live_team: Team) -> None:
    with live_socket(web, live_team.workspace, live_team.bob) as socket:
        socket.receive()
        assert json.loads(socket.connection.recv(timeout=10)) == {"type": "heartbeat"}


def test_shutdown_does_not_wait_for_open_sockets(own_web: StartWeb, live_team: Team) -> None:
    web = own_web()
    caller = make_paying_caller(web, live_team, "sandbox/slow")
    with caller.stream(" ".join(["word"] * 20)) as response:
        lines = response.iter_lines()
        assert any('"delta"' in line for line in lines)
        turn = Turn.objects.get(workspace=live_team.workspace)
        with watch_conversation(web, live_team, turn.conversation_id) as socket:
            socket.receive_until("message.delta")
            web.terminate()
            assert socket.wait_closed()[:2] == (1012, "Restarting")
            assert turn_statuses(live_team.workspace) == ["running"]
        assert [line for line in lines if line][-1] == "data: [DONE]"
    wait_until(lambda: turn_statuses(live_team.workspace) == ["completed"])
