"""What every request must pass before the application, driven by hand-written ASGI messages."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from django.test import override_settings

from apps.infrastructure.limits.request_guard import guard_requests
from apps.infrastructure.web.asgi import Receive, Scope, Send
from tests.infrastructure.test_asgi import (
    Message,
    body_messages,
    http_scope,
    run_application,
    status_and_body,
)

BRANCHES = ["/api/v1/x", "/w/acme/", "/admin/", "/login", "/csp-reports", "/docs/try", "/nothing"]
SMALL_BODIES: dict[str, Any] = {
    "API_MAX_BODY_BYTES": 10,
    "FORM_MAX_BODY_BYTES": 10,
    "PAGE_MAX_BODY_BYTES": 10,
}


async def count_body(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that responds with the messages and bytes that it was sent."""
    messages = length = 0
    while True:
        message = await receive()
        messages += 1
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d %d" % (messages, length)})


async def respond(scope: Scope, messages: Iterable[Message]) -> tuple[int, bytes]:
    return status_and_body(await run_application(guard_requests(count_body), scope, messages))


@pytest.mark.parametrize("bodies", [(b"",), (b"12345",), (b"1234", b"567890"), (b"1234567890",)])
@pytest.mark.parametrize("path", BRANCHES)
@override_settings(**SMALL_BODIES)
async def test_body_up_to_the_limit_arrives_whole(path: str, bodies: tuple[bytes, ...]) -> None:
    status, body = await respond(http_scope(path), body_messages(*bodies))
    assert (status, body) == (200, b"1 %d" % len(b"".join(bodies)))


@pytest.mark.parametrize("bodies", [(b"12345678901",), (b"123456", b"789012"), (b"1",) * 50])
@pytest.mark.parametrize("path", BRANCHES)
@override_settings(**SMALL_BODIES)
async def test_body_over_the_limit_is_rejected(path: str, bodies: tuple[bytes, ...]) -> None:
    status, body = await respond(http_scope(path), body_messages(*bodies))
    assert status == 413
    if path.startswith("/api/"):
        assert json.loads(body) == {
            "success": False,
            "error": "The request body is too large.",
            "code": "PAYLOAD_TOO_LARGE",
        }
    else:
        assert body == b"The request body is too large.\n"


@override_settings(**SMALL_BODIES)
async def test_content_length_over_the_limit_is_rejected_unread() -> None:
    unread = iter(body_messages(b"12345678901"))
    scope = http_scope("/login", (b"content-length", b"11"))
    sent = await run_application(guard_requests(count_body), scope, unread)
    assert len(list(unread)) == 1
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"connection"]) == (413, b"close")


@pytest.mark.parametrize("length", [b"0", b"3", b"-1", b"", b"many", b"1e9"])
@override_settings(**SMALL_BODIES)
async def test_body_is_counted_despite_its_content_length(length: bytes) -> None:
    scope = http_scope("/api/", (b"content-length", length))
    assert (await respond(scope, body_messages(b"1" * 11)))[0] == 413
    assert await respond(scope, body_messages(b"123")) == (200, b"1 3")


async def test_unknown_addresses_take_small_bodies_only() -> None:
    from config.asgi import application

    for path, status in {"/nothing": 413, "/csp-reports": 413, "/api/v1/nothing": 404}.items():
        body = body_messages(*[b"x" * 65_536] * 2)
        sent = await run_application(application, http_scope(path), body)
        assert (path, sent[0]["status"]) == (path, status)


@pytest.mark.parametrize("query", [b"", b"q=" + b"x" * 50])
@override_settings(MAX_URL_BYTES=100)
async def test_long_address_is_rejected(query: bytes) -> None:
    def scope(length: int) -> Scope:
        return {**http_scope("/" + "x" * (length - 1 - len(query))), "query_string": query}

    assert await respond(scope(100), body_messages(b"")) == (200, b"1 0")
    assert await respond(scope(101), body_messages(b"")) == (414, b"This address is too long.\n")


@override_settings(**SMALL_BODIES)
async def test_get_with_a_body_is_limited_too() -> None:
    scope = {**http_scope("/", (b"transfer-encoding", b"chunked")), "method": "GET"}
    assert (await respond(scope, body_messages(b"1" * 11)))[0] == 413


async def test_body_is_kept_by_the_application_alone() -> None:
    references: list[int] = []

    async def count_references(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        references.append(sys.getrefcount(body))

    guarded = guard_requests(count_references)
    await run_application(guarded, http_scope("/api/v1/x"), body_messages(b"12", b"34"))

    assert references == [2]  # `body`, and the argument of `getrefcount`


async def test_client_that_leaves_meets_no_application() -> None:
    begun: Message = {"type": "http.request", "body": b"1", "more_body": True}
    left: list[Message] = [begun, {"type": "http.disconnect"}]
    assert await run_application(guard_requests(count_body), http_scope(), left) == []


# Deadlines


async def send_forever(chunk: bytes, seconds: float) -> tuple[int, int]:
    """The status of a request that goes on sending this chunk, and how many it has sent."""
    sent: list[Message] = []
    chunks = 0

    async def receive() -> Message:
        nonlocal chunks
        await asyncio.sleep(seconds)
        chunks += 1
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    await guard_requests(count_body)(http_scope("/api/"), receive, send)
    return sent[0]["status"], chunks


@override_settings(BODY_FIRST_SECONDS=0.1)
async def test_body_that_never_begins_is_given_up() -> None:
    assert await send_forever(b"", 3600) == (408, 0)


@override_settings(BODY_FIRST_SECONDS=0.1, BODY_MIN_BYTES_PER_SECOND=1000)
async def test_body_slower_than_the_least_pace_is_given_up() -> None:
    status, chunks = await send_forever(b"1", 0.01)
    assert (status, chunks < 100) == (408, True)


@override_settings(BODY_FIRST_SECONDS=0.1, BODY_MAX_SECONDS=0.3, BODY_MIN_BYTES_PER_SECOND=1)
async def test_body_that_never_ends_is_given_up() -> None:
    assert (await send_forever(b"x" * 100, 0.01))[0] == 408


@override_settings(BODY_SLOW_AFTER_SECONDS=0.01, BODY_FIRST_SECONDS=0.5)
@override_settings(MAX_SLOW_BODIES_PER_CLIENT=3, MAX_SLOW_BODIES=4)
async def test_slow_bodies_are_limited_by_client_and_together() -> None:
    guarded = guard_requests(count_body)

    async def wait(client: str) -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return await asyncio.Future()

        await guarded({**http_scope("/api/"), "client": (client, 1)}, receive, send)
        return int(sent[0]["status"])

    requests = [*["192.0.2.1"] * 5, *["192.0.2.2"] * 3]
    assert sorted(await asyncio.gather(*map(wait, requests))) == [408] * 4 + [429] * 2 + [503] * 2
    assert await wait("192.0.2.1") == 408  # their places are free again


@override_settings(MAX_UNFINISHED_BODY_BYTES=100)
async def test_unfinished_bodies_are_limited_together() -> None:
    assert (await send_forever(b"x" * 10, 0))[0] == 503
    assert await respond(http_scope(), body_messages(b"x" * 50, b"x" * 60)) == (200, b"1 110")


@override_settings(MAX_UNFINISHED_BODY_BYTES=100)
async def test_client_that_sends_most_gives_way_to_others() -> None:
    guarded = guard_requests(count_body)

    def start(client: str, *bodies: bytes, is_finished: bool) -> asyncio.Task[list[Message]]:
        messages = body_messages(*bodies, *([] if is_finished else [b""]))
        scope = {**http_scope("/api/"), "client": (client, 1)}
        return asyncio.create_task(
            run_application(guarded, scope, messages if is_finished else messages[:-1])
        )

    hostile = [start("192.0.2.1", b"x" * size, is_finished=False) for size in (10, 40, 20)]
    await asyncio.sleep(0)
    modest = start("192.0.2.2", b"x" * 35, b"x", is_finished=True)
    assert status_and_body(await modest) == (200, b"1 36")
    assert status_and_body(await hostile[1])[0] == 503
    for task in hostile:
        task.cancel()
    assert [task.done() for task in hostile] == [False, True, False]
