"""Redis is down, or PostgreSQL connections are cut: what works meanwhile and afterwards."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
from django.db import connection

from apps.webhooks.models import Delivery
from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, message_texts, post_concurrently
from tests.factories import Team, make_api_key, make_language_model, make_webhook_endpoint
from tests.web_processes import SSL_CONTEXT, free_port, make_caller


def test_chat_works_without_redis(own_web: StartWeb, live_team: Team) -> None:
    web = own_web(ready_path="healthz", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    model = make_language_model(credits_per_reply=1)
    caller = make_caller(web, live_team.workspace, model, credits=10, rate_limit_requests=20)
    make_webhook_endpoint(live_team.workspace, "message.completed")
    responses = post_concurrently([caller] * 40)
    # The process limits requests by itself, and PostgreSQL limits credits as always.
    assert Counter(r.status_code for r in responses) == {200: 10, 402: 10, 429: 20}
    assert {r.headers["X-RateLimit-Limit"] for r in responses} == {"20"}
    assert min(r.json()["retryAfter"] for r in responses if r.status_code == 429) >= 1
    assert credit_state(live_team.workspace) == (0, 0, [-1] * 10)
    assert '"event": "rate_limit_degraded"' in web.log.read_text()
    # The deliveries cannot be queued; they wait for the periodic task.
    assert Delivery.objects.filter(workspace=live_team.workspace, status="pending").count() == 10
    ready = httpx.get(f"{web.url}/readyz", verify=SSL_CONTEXT)
    checks = {"database": "ok", "migrations": "ok", "redis": "unavailable"}
    assert (ready.status_code, ready.json()["checks"]) == (503, checks)


def cut_connections(name: str) -> int:
    """Terminate all database connections of one application, as a restart would."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = %s",
            [name],
        )
        ended: int = cursor.fetchone()[0]
        return ended


def test_turn_survives_the_loss_of_database_connections(own_web: StartWeb, live_team: Team) -> None:
    web = own_web(PGAPPNAME="cut-midway")
    model = make_language_model("sandbox/slow", credits_per_reply=2)
    caller = make_caller(web, live_team.workspace, model, credits=10)
    with caller.stream("one two three four five six seven") as response:
        lines = response.iter_lines()
        assert any('"delta"' in line for line in lines)
        assert cut_connections("cut-midway") >= 1
        remaining = [line for line in lines if line]
    assert remaining[-1] == "data: [DONE]"
    assert remaining[-3] == "event: message.end"
    assert credit_state(live_team.workspace) == (8, 0, [-2])
    assert message_texts(live_team.workspace)[1] == "Echo: one two three four five six seven"


def test_process_reconnects_to_the_database(own_web: StartWeb, live_team: Team) -> None:
    web = own_web(PGAPPNAME="cut-busy")
    caller = make_caller(web, live_team.workspace, rate_limit_requests=100)
    assert [response.status_code for response in post_concurrently([caller] * 20)] == [200] * 20
    assert cut_connections("cut-busy") >= 1
    outcomes = {(r.status_code, r.json().get("code")) for r in post_concurrently([caller] * 20)}
    assert outcomes <= {(200, None), (503, "SERVICE_UNAVAILABLE")}
    time.sleep(1.2)  # idle connections are checked before they are used again
    assert [response.status_code for response in post_concurrently([caller] * 20)] == [200] * 20


def test_connections_that_died_while_idle_are_not_used(own_web: StartWeb, live_team: Team) -> None:
    web = own_web(PGAPPNAME="cut-at-rest")
    key = make_api_key(live_team.workspace, ["read"])

    def balance(_: int) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        response = httpx.get(
            f"{web.url}/api/v1/credits", headers=headers, verify=SSL_CONTEXT, timeout=10
        )
        return response.status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(balance, range(24))) == [200] * 24
        assert cut_connections("cut-at-rest") >= 1
        assert list(pool.map(balance, range(24))) == [200] * 24
