from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings

from apps.infrastructure.redis.clients import close_redis
from apps.infrastructure.web import error_pages
from apps.infrastructure.web.asgi import Receive, Scope, Send
from apps.infrastructure.web.health import Readiness, serve_health
from tests.infrastructure.test_asgi import http_scope, run_application, status_and_body
from tests.web_processes import free_port

READY = {"database": "ok", "migrations": "ok", "redis": "ok"}


@dataclass
class Health:
    """The health checks as the server calls them."""

    status: int
    body: Any
    headers: Mapping[bytes, bytes]


async def nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("health checks are not passed on")


async def get(path: str, host: bytes = b"testserver") -> Health:
    application = serve_health(otherwise=nothing_else)
    scope = http_scope(path)
    sent = await run_application(application, {**scope, "headers": [(b"host", host)]}, [])
    status, body = status_and_body(sent)
    return Health(status, json.loads(body), dict(sent[0]["headers"]))


@pytest_asyncio.fixture
async def loop(committed: None) -> AsyncIterator[None]:
    yield
    await close_redis()


async def test_healthz_needs_no_redis() -> None:
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"):
        health = await get("/healthz")
    assert (health.status, health.body) == (200, {"status": "ok"})
    assert re.fullmatch(rb"req_[0-9a-f]{24}", health.headers[b"x-request-id"])


async def test_readyz_is_ok(loop: None) -> None:
    health = await get("/readyz")
    assert (health.status, health.body) == (200, {"status": "ok", "checks": READY})


@pytest.mark.parametrize("host", [b"10.1.2.3:8000", b"localhost:8000", b"", b"\xff", b"a b"])
async def test_health_is_checked_by_any_host_over_http(loop: None, host: bytes) -> None:
    with override_settings(ALLOWED_HOSTS=["parley.example"], SECURE_SSL_REDIRECT=True):
        statuses = [(await get(path, host)).status for path in ("/healthz", "/readyz")]
    assert statuses == [200, 200]


async def test_concurrent_readiness_checks_share_their_results(loop: None) -> None:
    readiness = Readiness()
    results = await asyncio.gather(*(readiness.check() for _ in range(50)))
    assert results == [READY] * 50
    assert readiness.runs == 1


async def test_readyz_reports_redis_unavailable(loop: None) -> None:
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"):
        health = await get("/readyz")
    assert (health.status, health.body) == (
        503,
        {"status": "unavailable", "checks": {**READY, "redis": "unavailable"}},
    )


async def test_readyz_reports_outstanding_migrations(loop: None, outstanding: None) -> None:
    health = await get("/readyz")
    assert (health.status, health.body["checks"]) == (503, {**READY, "migrations": "outstanding"})


@pytest.fixture
def outstanding(committed: None) -> Iterator[None]:
    recorder = MigrationRecorder(connection)
    applied = sorted(key for key in recorder.applied_migrations() if key[0] == "conversations")
    app, name = applied[-1]
    recorder.record_unapplied(app, name)
    yield
    recorder.record_applied(app, name)


@pytest.mark.parametrize("path", ["/", "/login", "/nothing", "/api/v1/nothing"])
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
