from __future__ import annotations

import asyncio
import threading

from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from apps.infrastructure.web.thread_pool import MAX_IDLE_THREADS, ThreadPoolASGIHandler
from tests.infrastructure.test_asgi import chunks, http, status_and_body, talk

together = threading.Barrier(3)


def name_of_thread() -> bytes:
    return str(threading.get_ident()).encode()


def alone(request: HttpRequest) -> HttpResponse:
    return HttpResponse(name_of_thread())


def beside(request: HttpRequest) -> HttpResponse:
    together.wait(timeout=20)
    return HttpResponse(name_of_thread())


urlpatterns = [path("alone", alone), path("beside", beside)]


async def ask(handler: ThreadPoolASGIHandler, address: str) -> bytes:
    status, body = status_and_body(await talk(handler, http(address), chunks(b"")))
    assert status == 200
    return body


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[])
async def test_requests_one_after_the_other_are_lent_the_same_thread() -> None:
    handler = ThreadPoolASGIHandler()
    assert len({await ask(handler, "/alone") for _ in range(3)}) == 1


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[])
async def test_requests_at_once_have_a_thread_each_and_few_are_kept() -> None:
    handler = ThreadPoolASGIHandler()
    threads = await asyncio.gather(*(ask(handler, "/beside") for _ in range(3)))
    assert len(set(threads)) == 3
    assert {await ask(handler, "/alone") for _ in range(3)} <= set(threads)
    await asyncio.gather(*(ask(handler, "/alone") for _ in range(3 * MAX_IDLE_THREADS)))
    assert len(handler._free) == MAX_IDLE_THREADS
