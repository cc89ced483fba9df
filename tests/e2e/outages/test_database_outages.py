"""PostgreSQL is away or frozen: refusals come at once, and so does normal service afterwards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, post_concurrently, wait_until
from tests.factories import Team, make_language_model
from tests.tcp_proxy import TcpProxy, run_proxy
from tests.web_processes import Caller, make_caller

CALLERS = 100
"""More than the threads and connections of a process could serve if each waited for seconds."""
REFUSED = {(503, "SERVICE_UNAVAILABLE")}


@pytest.fixture
def proxy(committed: None) -> Iterator[TcpProxy]:
    """The test database, through a proxy."""
    url = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    with run_proxy(url._replace(path=f"/{name}").geturl()) as proxy:
        yield proxy


@pytest.fixture
def caller(own_web: StartWeb, live_team: Team, proxy: TcpProxy) -> Caller:
    model = make_language_model(credits_per_reply=1)
    return make_caller(
        own_web(DATABASE_URL=proxy.url),
        live_team.workspace,
        model,
        credits=1000,
        rate_limit_requests=10_000,
    )


def codes_of(caller: Caller) -> set[tuple[int, str]]:
    return {(r.status_code, r.json()["code"]) for r in post_concurrently([caller] * CALLERS)}


@pytest.mark.parametrize("fail", [TcpProxy.cut, TcpProxy.freeze])
def test_refusals_do_not_wait_for_the_database(
    caller: Caller, live_team: Team, proxy: TcpProxy, fail: Callable[[TcpProxy], None]
) -> None:
    assert caller.post().status_code == 200
    fail(proxy)
    # The first ones may wait until the failure is noticed; the others do not try again.
    assert codes_of(caller) == REFUSED
    attempts = proxy.attempts
    for _ in range(5):
        assert codes_of(caller) == REFUSED
    assert proxy.attempts - attempts < CALLERS
    proxy.restore()
    wait_until(lambda: caller.post().status_code == 200)
    served = Counter(response.status_code for response in post_concurrently([caller] * 20))
    assert served == {200: 20}
    balance, _, charges = credit_state(live_team.workspace)
    assert balance == 1000 - len(charges)
    log = caller.web.log.read_text()
    assert log.count('"event": "database_unavailable"') == 1
    assert "Traceback" not in log.rpartition('"event": "database_unavailable"')[2]


def test_answers_that_are_lost_after_the_commit_are_looked_up(
    caller: Caller, live_team: Team, proxy: TcpProxy
) -> None:
    """Of the statement that opens a turn, then of the one that settles it."""
    assert caller.post().json()["data"]["credits"] == {"charged": 1, "balance": 999}
    for balance, request in ((998, b'"begins"'), (997, b'"delta_lengths"')):
        proxy.lose_answer(request)
        data = caller.post().json()["data"]
        assert data["credits"] == {"charged": 1, "balance": balance}
    assert credit_state(live_team.workspace) == (997, 0, [-1] * 3)
    log = caller.web.log.read_text()
    assert [log.count(f'"event": "{event}"') for event in ("opening_lost", "settle_retry")] == [
        1,
        1,
    ]
