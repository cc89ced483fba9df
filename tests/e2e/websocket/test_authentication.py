"""Authentication of WebSockets: keys, origins, scopes and chatbots."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from apps.api_kit.callers import Scope
from apps.core.errors import NotFound
from tests.chat_sockets import open_socket
from tests.factories import Team, make_api_key
from tests.web_processes import Caller, WebProcess, make_caller


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_caller(web, live_team.workspace, "sandbox/long", rate_limit_requests=1000)


def test_key_in_a_subprotocol_is_not_echoed_or_logged(caller: Caller) -> None:
    offered = ["parley.v1", f"parley.key.{caller.key}"]
    elsewhere = {"Origin": "https://elsewhere.example"}
    with open_socket(caller, headers=elsewhere, subprotocols=offered) as socket:
        assert socket.connection.subprotocol == "parley.v1"
        response = socket.connection.response
        assert response is not None
        assert caller.key not in str(response.headers)
        assert socket.start_turn("hello")["type"] == "message.start"
    log = caller.web.log.read_text()
    assert caller.key not in log
    assert "parley.key" not in log


@pytest.mark.parametrize(
    ("headers", "subprotocols", "close", "code"),
    [
        ({}, None, 4401, "MISSING_AUTH_HEADER"),
        ({}, ["parley.v1"], 4401, "MISSING_AUTH_HEADER"),
        ({"Origin": "http://127.0.0.1:{port}"}, None, 4401, "MISSING_AUTH_HEADER"),
        ({"Origin": "http://127.0.0.1:1"}, None, 4403, "ORIGIN_NOT_ALLOWED"),
        ({"Origin": "https://127.0.0.1:{port}"}, None, 4403, "ORIGIN_NOT_ALLOWED"),
        ({"Origin": "http://localhost:{port}"}, None, 4403, "ORIGIN_NOT_ALLOWED"),
        ({"Origin": "https://elsewhere.example"}, None, 4403, "ORIGIN_NOT_ALLOWED"),
        ({"Origin": "null"}, None, 4403, "ORIGIN_NOT_ALLOWED"),
        ({"Origin": "https://["}, None, 4403, "ORIGIN_NOT_ALLOWED"),
        ({"Authorization": "Bearer sk-workspace_no"}, None, 4401, "INVALID_API_KEY"),
        ({"Authorization": "Basic eDp5"}, None, 4401, "INVALID_API_KEY"),
        ({}, ["parley.v1", "parley.key.no"], 4401, "INVALID_API_KEY"),
    ],
)
def test_socket_without_a_valid_key_is_closed(
    caller: Caller,
    headers: dict[str, str],
    subprotocols: list[str] | None,
    close: int,
    code: str,
) -> None:
    port = str(caller.web.port)
    headers = {name: value.replace("{port}", port) for name, value in headers.items()}
    with open_socket(caller, headers=headers, subprotocols=subprotocols) as socket:
        close_code, reason, frames = socket.wait_closed()
    assert (close_code, reason) == (close, code)
    assert [(frame["type"], frame["code"]) for frame in frames] == [("error", code)]


def test_scope_and_chatbot_are_checked(caller: Caller, live_team: Team) -> None:
    reader = Caller(caller.web, caller.chatbot, make_api_key(live_team.workspace, [Scope.READ]))
    outsider = Caller(caller.web, caller.chatbot, make_api_key(live_team.other_workspace))
    unknown = Caller(caller.web, "c-nothing", caller.key)
    nul = Caller(caller.web, "%00", caller.key)
    ends = []
    for each in (reader, outsider, unknown, nul):
        with open_socket(each) as socket:
            ends.append(socket.wait_closed()[:2])
    missing = (4404, "CHATBOT_NOT_FOUND")
    assert ends == [(4403, "SCOPE_MISSING"), missing, missing, missing]


@pytest.mark.parametrize(
    ("path", "chatbot"),
    [
        ("/ws/v1/nothing", "{chatbotId}"),
        ("/api/v1/chatbots/c0mwsqprccacpzc2j774bqrdc/chat", "c0mwsqprccacpzc2j774bqrdc"),
        ("/ws/v1/chatbots/c0mwsqprccacpzc2j774bqrdc/chat/", "c0mwsqprccacpzc2j774bqrdc"),
    ],
)
def test_unknown_path_is_rejected(web: WebProcess, path: str, chatbot: str) -> None:
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(f"ws://127.0.0.1:{web.port}{path}"),
    ):
        pass
    response = refusal.value.response
    assert response.status_code == 404
    assert json.loads(response.body or b"") == {
        "success": False,
        "error": f"{NotFound.message} Did you mean /ws/v1/chatbots/{chatbot}/chat?",
        "code": "NOT_FOUND",
    }
