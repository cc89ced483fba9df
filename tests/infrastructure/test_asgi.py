"""The ASGI wrappers in front of Django, driven by hand-written ASGI messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from apps.core.errors import PayloadTooLarge
from apps.infrastructure.web.asgi import (
    Application,
    Receive,
    Scope,
    Send,
    route_by_prefix,
    send_error,
)

Message = Mapping[str, Any]


def http_scope(path: str = "/", *headers: tuple[bytes, bytes]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }


def body_messages(*bodies: bytes) -> list[Message]:
    last = len(bodies) - 1
    return [
        {"type": "http.request", "body": body, "more_body": number < last}
        for number, body in enumerate(bodies)
    ]


async def run_application(
    application: Application, scope: Scope, messages: Iterable[Message]
) -> list[Message]:
    """Everything that the application sends in response to these messages."""
    incoming = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        for message in incoming:
            return message
        await asyncio.Event().wait()
        raise AssertionError("there are no more messages")

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent


async def count_body(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the body and responds with its length."""
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def status_and_body(sent: list[Message]) -> tuple[int, bytes]:
    start, body = sent
    return start["status"], body["body"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/", b"api"),
        ("/api/v1/x", b"api"),
        ("/api", b"page"),
        ("/", b"page"),
        ("/x/api/", b"page"),
    ],
)
async def test_route_by_prefix(path: str, body: bytes) -> None:
    def respond_with(body: bytes) -> Application:
        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        return respond

    application = route_by_prefix("/api/", respond_with(b"api"), otherwise=respond_with(b"page"))
    assert status_and_body(await run_application(application, http_scope(path), [])) == (
        200,
        body,
    )


async def test_api_response_headers() -> None:
    from config.asgi import application

    sent = await run_application(application, http_scope("/api/v1/nothing"), body_messages(b""))
    headers = {name.lower(): value for name, value in sent[0]["headers"]}
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (404, "NOT_FOUND")
    assert headers[b"x-request-id"].startswith(b"req_")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    assert [name for name in (b"set-cookie", b"x-frame-options") if name in headers] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/openai/chat/completions", lambda body: body["error"]["code"]),
        ("/api/v1/openai", lambda body: body["error"]["code"]),
        ("/api/v1/openaichat", lambda body: body["code"]),
        ("/api/v1/chatbots/c/chat", lambda body: body["code"]),
    ],
)
async def test_error_before_any_view_has_the_protocols_format(path: str, code: Any) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await send_error(scope, send, PayloadTooLarge())

    start, body = await run_application(refuse, http_scope(path), body_messages(b""))
    assert (start["status"], code(json.loads(body["body"]))) == (413, "PAYLOAD_TOO_LARGE")
