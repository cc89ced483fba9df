from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory, override_settings

from apps.infrastructure.redis.clients import close_redis
from apps.infrastructure.web import error_pages
from tests.web_processes import free_port

READY = {"database": "ok", "migrations": "ok", "redis": "ok"}


@pytest_asyncio.fixture
async def caller(committed: None) -> AsyncIterator[AsyncClient]:
    yield AsyncClient()
    await close_redis()


async def test_healthz_needs_no_redis(caller: AsyncClient) -> None:
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"):
        response = await caller.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readyz_is_ok(caller: AsyncClient) -> None:
    response = await caller.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "checks": READY})


async def test_readyz_reports_redis_unavailable(caller: AsyncClient) -> None:
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"):
        response = await caller.get("/readyz")
    assert (response.status_code, response.json()) == (
        503,
        {"status": "unavailable", "checks": {**READY, "redis": "unavailable"}},
    )


async def test_readyz_reports_outstanding_migrations(
    caller: AsyncClient, outstanding: None
) -> None:
    response = await caller.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (
        503,
        {**READY, "migrations": "outstanding"},
    )


@pytest.fixture
def outstanding(committed: None) -> Iterator[None]:
    recorder = MigrationRecorder(connection)
    applied = sorted(key for key in recorder.applied_migrations() if key[0] == "conversations")
    app, name = applied[-1]
    recorder.record_unapplied(app, name)
    yield
    recorder.record_applied(app, name)


@pytest.mark.parametrize("path", ["/", "/healthz", "/nothing", "/api/v1/nothing"])
def test_every_response_has_a_unique_request_id(path: str) -> None:
    client = Client(headers={"x-request-id": "mine"})
    ids = {client.get(path).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", one) for one in ids)


def test_not_found_page_shows_the_request_id() -> None:
    response = Client().get("/nothing")
    page = response.content.decode()
    assert (response.status_code, response.headers["Content-Type"]) == (
        404,
        "text/html; charset=utf-8",
    )
    assert page.count("<h1>Page not found</h1>") == 1
    assert page.count(response.headers["X-Request-Id"]) == 1


def test_not_found_in_the_api_is_json() -> None:
    response = Client().get("/api/v1/nothing")
    assert (response.status_code, response.json()) == (
        404,
        {"success": False, "error": "There is nothing at this address.", "code": "NOT_FOUND"},
    )


def request_to(path: str) -> HttpRequest:
    request = RequestFactory().get(path)
    request.request_id = "req_1"  # type: ignore[attr-defined]
    return request


def test_server_error_in_the_api_is_json_without_traceback() -> None:
    response = error_pages.server_error(request_to("/api/v1/x"))
    assert response.status_code == 500
    assert response.content.decode() == (
        '{"success": false, "error": "Something went wrong on our side.'
        ' Quote the request id to support.", "code": "INTERNAL_ERROR"}'
    )


def test_server_error_page_shows_the_request_id() -> None:
    response = error_pages.server_error(request_to("/x"))
    assert (response.status_code, response.content.decode().count("req_1")) == (500, 1)


def test_bad_request_hides_the_reason() -> None:
    response = error_pages.bad_request(request_to("/api/v1/x"), SuspiciousOperation("secret"))
    assert (response.status_code, response.content.decode().count("secret")) == (400, 0)


def test_request_to_another_host_is_rejected() -> None:
    assert Client(headers={"host": "evil.example"}).get("/nothing").status_code == 400
