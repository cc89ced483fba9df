from __future__ import annotations

import asyncio
import threading

from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from apps.infrastructure.web.thread_pool import MAX_IDLE_THREADS, ThreadPoolASGIHandler
from tests.infrastructure.test_asgi import (
    body_messages,
    http_scope,
    run_application,
    status_and_body,
)

barrier = threading.Barrier(3)


def thread_id() -> bytes:
    return str(threading.get_ident()).encode()


def sequential(request: HttpRequest) -> HttpResponse:
    return HttpResponse(thread_id())


def concurrent(request: HttpRequest) -> HttpResponse:
    barrier.wait(timeout=20)
    return HttpResponse(thread_id())


urlpatterns = [path("sequential", sequential), path("concurrent", concurrent)]


async def get(handler: ThreadPoolASGIHandler, path: str) -> bytes:
    status, body = status_and_body(
        await run_application(handler, http_scope(path), body_messages(b""))
    )
    assert status == 200
    return body


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[])
async def test_sequential_requests_share_a_thread() -> None:
    handler = ThreadPoolASGIHandler()
    assert len({await get(handler, "/sequential") for _ in range(3)}) == 1


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[])
async def test_concurrent_requests_have_a_thread_each() -> None:
    handler = ThreadPoolASGIHandler()
    threads = await asyncio.gather(*(get(handler, "/concurrent") for _ in range(3)))
    assert len(set(threads)) == 3
    assert {await get(handler, "/sequential") for _ in range(3)} <= set(threads)
    await asyncio.gather(*(get(handler, "/sequential") for _ in range(3 * MAX_IDLE_THREADS)))
    assert len(handler._idle) == MAX_IDLE_THREADS
