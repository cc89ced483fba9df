"""A client of the dashboard's WebSocket for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import Client
from websockets.sync.client import connect

from apps.accounts.models import User
from apps.workspaces.models import Workspace
from tests.chat_sockets import ChatSocket
from tests.factories import Team
from tests.web_processes import WebProcess


def session_cookie(user: User) -> tuple[Client, dict[str, str]]:
    """A client in which the user is signed in, and its Cookie header."""
    browser = Client()
    browser.force_login(user)
    return browser, {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}


@contextmanager
def live_socket(
    web: WebProcess,
    workspace: Workspace | str,
    user: User | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[ChatSocket]:
    """Open the workspace's WebSocket, as the user if one is given."""
    workspace_id = workspace if isinstance(workspace, str) else workspace.id
    address = f"ws://127.0.0.1:{web.port}/ws/v1/workspaces/{workspace_id}/live"
    cookie = session_cookie(user)[1] if user else {}
    with connect(
        address, additional_headers=cookie | (headers or {}), close_timeout=1, **options
    ) as socket:
        yield ChatSocket(socket)


@contextmanager
def watch_conversation(
    web: WebProcess, team: Team, conversation_id: str, user: User | None = None, **fields: Any
) -> Iterator[ChatSocket]:
    """Open the workspace's WebSocket and watch the conversation."""
    with live_socket(web, team.workspace, user or team.bob) as socket:
        assert socket.receive()["type"] == "member"
        socket.send("conversation.watch", conversationId=conversation_id, requestId="w", **fields)
        watched = socket.receive()
        assert watched.pop("xRequestId").startswith("req_")
        context = {"requestId": "w", "conversationId": conversation_id}
        assert watched == {"type": "conversation.watched", **context}
        yield socket
