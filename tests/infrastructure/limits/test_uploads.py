"""Uploads of files: which requests are, what they may send, and how many are served at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from apps.infrastructure.limits.request_guard import guard_requests
from apps.infrastructure.limits.uploads import MAX_FIELD_BYTES
from apps.infrastructure.web.asgi import Receive, Scope, Send
from apps.infrastructure.web.thread_pool import ThreadPoolASGIHandler
from tests.infrastructure.limits.test_request_guard import count_body
from tests.infrastructure.test_asgi import (
    Message,
    body_messages,
    http_scope,
    run_application,
    status_and_body,
)

PATH = "/api/v1/knowledge-bases/c0/sources"
FORM = (b"content-type", b"multipart/form-data; boundary=x")
MAX_BYTES = 20 * 2**20 + MAX_FIELD_BYTES
MEBIBYTE = b"x" * 2**20


def upload_scope(client: str = "192.0.2.1", **changes: Any) -> Scope:
    return {**http_scope(PATH, FORM), "client": (client, 1), **changes}


async def respond(scope: Scope, *bodies: bytes) -> tuple[int, bytes]:
    sent = await run_application(guard_requests(count_body), scope, body_messages(*bodies))
    return status_and_body(sent)


async def test_file_larger_than_other_bodies_arrives_whole() -> None:
    status, body = await respond(upload_scope(), *[MEBIBYTE] * 20)
    assert (status, body.split()[1]) == (200, b"%d" % (20 * 2**20))


@pytest.mark.parametrize("length", [b"1", b"%d" % (MAX_BYTES + 1)])
async def test_larger_file_is_refused_with_the_limit(length: bytes) -> None:
    scope = {**upload_scope(), "headers": [FORM, (b"content-length", length)]}
    status, body = await respond(scope, *[MEBIBYTE] * 21)
    assert (status, json.loads(body)["error"]) == (413, "The file is larger than 20 MiB.")


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": [(b"content-type", b"application/json")]},
        {"headers": [(b"content-type", b"multipart/form-datas")]},
        {"headers": []},
        {"path": f"{PATH}/"},
        {"path": "/api/v1/knowledge-bases/c0/a/sources"},
        {"path": f"/x{PATH}"},
        {"method": "PATCH"},
    ],
    ids=str,
)
async def test_other_requests_keep_their_limit(changes: dict[str, Any]) -> None:
    scope = upload_scope(**changes)
    status, body = await respond(scope, MEBIBYTE, b"x")
    assert (status, b"20 MiB" in body) == (413, False)


def read_form(request: HttpRequest) -> HttpResponse:
    (file,) = request.FILES.getlist("file")
    return HttpResponse(f"{request.POST['title']} {len(file.read())}")


urlpatterns = [path(PATH[1:], read_form)]


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[])
async def test_django_reads_the_form_from_the_file() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    form = part % (b"title", b"") + b"Prices\r\n" + part % (b"file", b'; filename="a.txt"')
    bodies = [form, *[MEBIBYTE] * 5, b"\r\n--x--\r\n"]
    headers = [FORM, (b"content-length", b"%d" % sum(map(len, bodies)))]
    sent = await run_application(
        guard_requests(ThreadPoolASGIHandler()),
        upload_scope(headers=headers),
        body_messages(*bodies),
    )
    assert status_and_body(sent) == (200, b"Prices %d" % (5 * 2**20))


@override_settings(UPLOADS_AT_ONCE=2, UPLOADS_AT_ONCE_PER_CLIENT=1)
async def test_few_are_served_at_once_and_one_of_a_client() -> None:
    served: list[str] = []
    two_are_served, may_end = asyncio.Event(), asyncio.Event()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        served.append(scope["client"][0])
        if len(served) == 2:
            two_are_served.set()
        await may_end.wait()
        await count_body(scope, receive, send)

    guarded = guard_requests(serve)
    clients = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
    requests = [
        asyncio.create_task(run_application(guarded, upload_scope(each), body_messages(b"x")))
        for each in clients
    ]
    async with asyncio.timeout(20):
        await two_are_served.wait()
        assert served == ["192.0.2.1", "192.0.2.2"]
        may_end.set()
        responses = [status_and_body(sent)[0] for sent in await asyncio.gather(*requests)]
    assert (responses, sorted(served)) == ([200] * 4, sorted(clients))


@override_settings(UPLOADS_AT_ONCE=1, UPLOAD_WAIT_SECONDS=0.05)
async def test_upload_that_waits_too_long_is_refused() -> None:
    may_end = asyncio.Event()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await may_end.wait()
        await count_body(scope, receive, send)

    guarded = guard_requests(serve)
    first = asyncio.create_task(
        run_application(guarded, upload_scope("192.0.2.1"), body_messages(b"x"))
    )
    await asyncio.sleep(0)
    second = await run_application(guarded, upload_scope("192.0.2.2"), body_messages(b"x"))
    may_end.set()
    assert (status_and_body(second)[0], status_and_body(await first)[0]) == (503, 200)


@override_settings(MAX_UPLOADED_BYTES=100)
async def test_uploads_are_held_until_they_are_served() -> None:
    may_end = asyncio.Event()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await may_end.wait()
        await count_body(scope, receive, send)

    guarded = guard_requests(serve)

    def upload(*bodies: bytes) -> asyncio.Task[list[Message]]:
        return asyncio.create_task(run_application(guarded, upload_scope(), body_messages(*bodies)))

    first = upload(b"x" * 80)
    await asyncio.sleep(0)
    refused = await upload(b"x" * 30, b"x")
    may_end.set()
    assert (status_and_body(refused)[0], status_and_body(await first)[0]) == (503, 200)
    assert status_and_body(await upload(b"x" * 30, b"x"))[0] == 200


@override_settings(BODY_FIRST_SECONDS=0.1, UPLOAD_MAX_SECONDS=0.3, BODY_MAX_SECONDS=3600)
async def test_file_that_never_ends_is_given_up() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    await guard_requests(count_body)(upload_scope(), receive, send)
    assert sent[0]["status"] == 408
