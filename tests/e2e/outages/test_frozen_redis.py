"""Redis is frozen: it accepts connections and answers nothing. Nobody waits for it for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.conf import settings

from apps.webhooks.models import Delivery
from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state
from tests.factories import Team, make_language_model, make_webhook_endpoint
from tests.tcp_proxy import TcpProxy, run_proxy
from tests.web_processes import SSL_CONTEXT, Caller, make_caller

CALLERS = 8
ROUNDS = 4
PAUSE_SECONDS = 0.5
"""So that the callers meet the process again when it tries Redis again."""
LIMIT_SECONDS = 8
"""What any request may take: a time-out of Redis and much of a busy machine."""


@pytest.fixture
def redis() -> Iterator[TcpProxy]:
    """The Redis of the tests, through a proxy."""
    with run_proxy(settings.REDIS_URL) as proxy:
        yield proxy


def ask_repeatedly(caller: Caller) -> list[int]:
    """Send requests one after the other. Fails when one takes longer than LIMIT_SECONDS."""
    statuses = []
    for _ in range(ROUNDS):
        response = httpx.post(
            caller.url,
            json={"message": "Hello"},
            headers=caller.all_headers,
            timeout=LIMIT_SECONDS,
            verify=SSL_CONTEXT,
        )
        statuses.append(response.status_code)
        time.sleep(PAUSE_SECONDS)
    return statuses


def test_chats_with_webhooks_do_not_wait_for_redis(
    own_web: StartWeb, live_team: Team, redis: TcpProxy
) -> None:
    web = own_web(REDIS_URL=redis.url)
    model = make_language_model(credits_per_reply=1)
    caller = make_caller(web, live_team.workspace, model, credits=1000, rate_limit_requests=1000)
    make_webhook_endpoint(live_team.workspace, "message.completed")
    assert caller.post().status_code == 200
    redis.freeze()
    with ThreadPoolExecutor(CALLERS) as pool:
        statuses = [s for each in pool.map(ask_repeatedly, [caller] * CALLERS) for s in each]
    assert statuses == [200] * (CALLERS * ROUNDS)
    assert Delivery.objects.filter(workspace=live_team.workspace).count() == len(statuses) + 1
    assert credit_state(live_team.workspace)[:2] == (1000 - len(statuses) - 1, 0)
