"""The layer in front of Django, spoken to in ASGI messages made by hand."""

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


def http(path: str = "/", *headers: tuple[bytes, bytes]) -> Scope:
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


def chunks(*bodies: bytes) -> list[Message]:
    last = len(bodies) - 1
    return [
        {"type": "http.request", "body": body, "more_body": number < last}
        for number, body in enumerate(bodies)
    ]


async def talk(application: Application, scope: Scope, said: Iterable[Message]) -> list[Message]:
    """Everything that the application sends when it is told this and no more."""
    incoming = iter(said)
    sent: list[Message] = []

    async def receive() -> Message:
        for message in incoming:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nothing more is said")

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent


async def counts(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads its body and answers with the body's length."""
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
    return limit_body_size(counts)


@pytest.mark.parametrize("bodies", [(b"",), (b"12345",), (b"1234", b"567890"), (b"1234567890",)])
@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_up_to_the_limit_is_passed_on(
    limited: Application, bodies: tuple[bytes, ...]
) -> None:
    sent = await talk(limited, http(), chunks(*bodies))
    assert status_and_body(sent) == (200, str(len(b"".join(bodies))).encode())


@pytest.mark.parametrize("bodies", [(b"12345678901",), (b"123456", b"789012"), (b"1",) * 50])
@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_over_the_limit_is_refused_once(
    limited: Application, bodies: tuple[bytes, ...]
) -> None:
    status, body = status_and_body(await talk(limited, http(), chunks(*bodies)))
    assert (status, json.loads(body)) == (
        413,
        {
            "success": False,
            "error": "The request body is too large.",
            "code": "PAYLOAD_TOO_LARGE",
        },
    )


@override_settings(API_MAX_BODY_BYTES=10)
async def test_application_that_reads_on_is_told_that_the_caller_left() -> None:
    heard: list[str] = []

    async def reads_on(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([(await receive())["type"] for _ in range(3)])

    sent = await talk(limit_body_size(reads_on), http(), chunks(b"1" * 9, b"1" * 9, b"1"))
    assert heard == ["http.request", "http.disconnect", "http.disconnect"]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_announced_over_the_limit_is_refused_unread(limited: Application) -> None:
    unread = iter(chunks(b"12345678901"))
    sent = await talk(limited, http("/", (b"content-length", b"11")), unread)
    assert len(list(unread)) == 1
    assert status_and_body(sent)[0] == 413
    assert dict(sent[0]["headers"])[b"connection"] == b"close"


@pytest.mark.parametrize("length", [b"0", b"3", b"-1", b"", b"many", b"1e9"])
@override_settings(API_MAX_BODY_BYTES=10)
async def test_body_is_counted_whatever_was_announced(limited: Application, length: bytes) -> None:
    scope = http("/", (b"content-length", length))
    assert status_and_body(await talk(limited, scope, chunks(b"1" * 11)))[0] == 413
    assert status_and_body(await talk(limited, scope, chunks(b"123"))) == (200, b"3")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/", b"api"),
        ("/api/v1/x", b"api"),
        ("/api", b"page"),
        ("/", b"page"),
        ("/x/api/", b"page"),
    ],
)
async def test_address_chooses_the_application(path: str, answer: bytes) -> None:
    def saying(word: bytes) -> Application:
        async def say(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": word})

        return say

    application = route_by_prefix("/api/", saying(b"api"), otherwise=saying(b"page"))
    assert status_and_body(await talk(application, http(path), [])) == (200, answer)


async def test_api_answers_in_json_with_an_id_and_no_cookie() -> None:
    from config.asgi import application

    sent = await talk(application, http("/api/v1/nothing"), chunks(b""))
    headers = {name.lower(): value for name, value in sent[0]["headers"]}
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (404, "NOT_FOUND")
    assert headers[b"x-request-id"].startswith(b"req_")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    assert [name for name in (b"set-cookie", b"x-frame-options") if name in headers] == []


async def test_api_refuses_a_body_over_the_limit_of_the_settings() -> None:
    from config.asgi import application

    body = chunks(*[b"x" * 65_536] * 20)
    sent = await talk(application, http("/api/v1/chatbots/c1/chat"), body)
    assert sent[0]["status"] == 413
