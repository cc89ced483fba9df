"""The same JSON is accepted, and refused in the same words, wherever a caller may send it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.chat_sockets import chat_url, open_socket
from tests.factories import Team, make_api_key
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

Send = Callable[[Caller, bytes], tuple[int, str]]
"""Send a text; return 200 or the status of an error, and the error's sentence."""


def post(caller: Caller, url: str, text: bytes, key: str | None = None) -> tuple[int, str]:
    response = httpx.post(
        url,
        content=text,
        headers={
            "Authorization": f"Bearer {key or caller.key}",
            "Content-Type": "application/json",
        },
        timeout=30,
        verify=SSL_CONTEXT,
    )
    if response.is_success:
        return 200, ""
    error = response.json()["error"]
    return response.status_code, error["message"] if isinstance(error, dict) else error


def chat(caller: Caller, text: bytes) -> tuple[int, str]:
    return post(caller, caller.url, text)


def completions(caller: Caller, text: bytes) -> tuple[int, str]:
    return post(caller, f"{caller.web.url}/api/v1/openai/chat/completions", text)


def ai_sdk(caller: Caller, text: bytes) -> tuple[int, str]:
    return post(caller, f"{caller.url}?protocol=ai-sdk", text)


def rest(caller: Caller, text: bytes) -> tuple[int, str]:
    assert not isinstance(caller.chatbot, str)
    key = make_api_key(caller.chatbot.workspace, ["manage", "read"])
    return post(caller, f"{caller.web.url}/api/v1/api-keys", text, key)


def try_it(caller: Caller, text: bytes) -> tuple[int, str]:
    return post(caller, f"{caller.web.url}/docs/try", text)


def websocket(caller: Caller, text: bytes) -> tuple[int, str]:
    with open_socket(caller) as socket:
        socket.connection.send(text.decode())
        frame = socket.receive()
        return (400, frame["error"]) if frame["type"] == "error" else (200, "")


MESSAGES = [{"role": "user", "content": "Hello"}]
PARTS = [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}]
HTTP: dict[str, tuple[Send, dict[str, Any]]] = {
    "chat": (chat, {"message": "Hello"}),
    "ai sdk": (ai_sdk, {"id": "c", "messages": PARTS, "trigger": "submit-message"}),
    "completions": (completions, {"messages": MESSAGES}),
    "rest": (rest, {"name": "n", "scopes": ["read"]}),
    "try it": (try_it, {"message": "Hello"}),
}
ENTRANCES = {**HTTP, "websocket": (websocket, {"type": "chat.send", "message": "Hello"})}


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_caller(web, live_team.workspace, rate_limit_requests=1000)


def texts(caller: Caller, entrance: str) -> tuple[Send, str]:
    """How to send to an entrance, and a text that it accepts."""
    send, fields = ENTRANCES[entrance]
    if entrance == "completions":
        assert not isinstance(caller.chatbot, str)
        fields = {**fields, "model": caller.chatbot.id}
    return send, json.dumps(fields)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_byte_order_mark_is_accepted(caller: Caller, entrance: str) -> None:
    send, text = texts(caller, entrance)
    assert send(caller, codecs.BOM_UTF8 + text.encode()) == (200, "")


@pytest.mark.parametrize("entrance", HTTP)
def test_utf_16_is_refused_with_a_sentence(caller: Caller, entrance: str) -> None:
    send, text = texts(caller, entrance)
    refused = (400, "The body is not UTF-8. Send JSON as UTF-8.")
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        assert send(caller, text.encode(encoding)) == refused


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_is_not_json_is_refused(caller: Caller, entrance: str) -> None:
    send, text = texts(caller, entrance)
    name = "message" if entrance == "websocket" else "body"
    for wrong in (text[:-1], text[:-1] + ', "n": NaN}', text + " {}"):
        assert send(caller, wrong.encode()) == (400, f"The {name} is not valid JSON.")
    deep = text[:-1] + ', "n": ' + "[" * 5000 + "]" * 5000 + "}"
    assert send(caller, deep.encode()) == (400, f"The {name} is nested too deep.")


def test_binary_messages_are_refused_with_a_sentence(caller: Caller) -> None:
    with connect(chat_url(caller), additional_headers=caller.all_headers) as connection:
        connection.send(b"{}")
        assert json.loads(connection.recv(timeout=20))["code"] == "VALIDATION_ERROR"
