"""The ASGI wrappers in front of Django, driven by hand-written ASGI messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from django.test import override_settings

from apps.infrastructure.web.asgi import (
    Application,
    Receive,
    Scope,
    Send,
    limit_body_size,
    route_by_prefix,
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


@pytest.fixture
def limited() -> Application:
    return limit_body_size(count_body)


@pytest.mark.parametrize("bodies", [(b"",), (b"12345",), (b"1234", b"567890"), (b"1234567890",)])
@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_up_to_the_limit_is_passed_on(
    limited: Application, bodies: tuple[bytes, ...]
) -> None:
    sent = await run_application(limited, http_scope(), body_messages(*bodies))
    assert status_and_body(sent) == (200, str(len(b"".join(bodies))).encode())


@pytest.mark.parametrize("bodies", [(b"12345678901",), (b"123456", b"789012"), (b"1",) * 50])
@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_over_the_limit_is_rejected_once(
    limited: Application, bodies: tuple[bytes, ...]
) -> None:
    status, body = status_and_body(
        await run_application(limited, http_scope(), body_messages(*bodies))
    )
    assert (status, json.loads(body)) == (
        413,
        {
            "success": False,
            "error": "The request body is too large.",
            "code": "PAYLOAD_TOO_LARGE",
        },
    )


@override_settings(API_MAX_BODY_BYTES=10)
async def test_reading_on_after_the_limit_receives_a_disconnect() -> None:
    received: list[str] = []

    async def read_on(scope: Scope, receive: Receive, send: Send) -> None:
        received.extend([(await receive())["type"] for _ in range(3)])

    sent = await run_application(
        limit_body_size(read_on), http_scope(), body_messages(b"1" * 9, b"1" * 9, b"1")
    )
    assert received == ["http.request", "http.disconnect", "http.disconnect"]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


@override_settings(API_MAX_BODY_BYTES=10)
async def test_content_length_over_the_limit_is_rejected_unread(limited: Application) -> None:
    unread = iter(body_messages(b"12345678901"))
    sent = await run_application(limited, http_scope("/", (b"content-length", b"11")), unread)
    assert len(list(unread)) == 1
    assert status_and_body(sent)[0] == 413
    assert dict(sent[0]["headers"])[b"connection"] == b"close"


@pytest.mark.parametrize("length", [b"0", b"3", b"-1", b"", b"many", b"1e9"])
@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_is_counted_despite_its_content_length(
    limited: Application, length: bytes
) -> None:
    scope = http_scope("/", (b"content-length", length))
    assert (
        status_and_body(await run_application(limited, scope, body_messages(b"1" * 11)))[0] == 413
    )
    assert status_and_body(await run_application(limited, scope, body_messages(b"123"))) == (
        200,
        b"3",
    )


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


async def test_api_rejects_a_body_over_the_default_limit() -> None:
    from config.asgi import application

    body = body_messages(*[b"x" * 65_536] * 20)
    sent = await run_application(application, http_scope("/api/v1/chatbots/c1/chat"), body)
    assert sent[0]["status"] == 413
