"""The processes of one web server replace each other; nobody is refused meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import psutil

from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller, start_web

CALLERS = 8
MESSAGE = "one two three"


def web_pids(web: WebProcess) -> set[int]:
    """The processes that serve requests, without their parent and without zombies."""
    children = psutil.Process(web.process.pid).children()
    return {each.pid for each in children if each.status() != psutil.STATUS_ZOMBIE}


def has_ended(web: WebProcess, pid: int) -> bool:
    return pid not in web_pids(web)


def replace_by(web: WebProcess, signum: signal.Signals, pid: int) -> int:
    """Send the signal to one process; return the one that takes its place."""
    others = web_pids(web)
    os.kill(pid, signum)
    wait_until(lambda: web_pids(web) - others)
    (successor,) = web_pids(web) - others
    return successor


def ask_until(stopped: threading.Event, caller: Caller) -> Counter[str]:
    """Send requests on one connection, streamed and not; what came of them."""
    outcomes: Counter[str] = Counter()
    with httpx.Client(verify=SSL_CONTEXT, timeout=60, headers=caller.all_headers) as client:
        while not stopped.is_set():
            body = {"message": MESSAGE, "stream": sum(outcomes.values()) % 2 == 0}
            try:
                response = client.post(caller.url, json=body)
            except httpx.HTTPError as error:
                outcomes[type(error).__name__] += 1
            else:
                outcomes["answered" if MESSAGE in response.text else response.text] += 1
    return outcomes


def started_count(web: WebProcess) -> int:
    return web.log.read_text().count("Started worker")


def test_processes_replace_each_other(committed: None, live_team: Team, tmp_path: Path) -> None:
    with (
        start_web(tmp_path, workers=2) as web,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        model = make_language_model(credits_per_reply=1)
        caller = make_caller(
            web, live_team.workspace, model, credits=100_000, rate_limit_requests=10_000
        )
        wait_until(lambda: started_count(web) == 2, seconds=60)
        stopped = threading.Event()
        callers = [pool.submit(ask_until, stopped, caller) for _ in range(CALLERS)]
        try:
            for pid in web_pids(web):
                wait_until_all_started(web, partial(replace_by, web, signal.SIGTERM, pid))
                wait_until(partial(has_ended, web, pid))
        finally:
            stopped.set()
        outcomes = sum((each.result() for each in callers), Counter())
        # One that dies is replaced as often as it dies, and the other goes on.
        first, survivor = web_pids(web)
        second = replace_by(web, signal.SIGKILL, first)
        third = replace_by(web, signal.SIGKILL, second)
        assert web_pids(web) == {survivor, third}
        assert MESSAGE in caller.post(MESSAGE).text
    answered = outcomes.pop("answered")
    assert outcomes == {}
    assert turn_statuses(live_team.workspace) == ["completed"] * (answered + 1)
    assert credit_state(live_team.workspace)[:2] == (100_000 - answered - 1, 0)


def wait_until_all_started(web: WebProcess, replace: Callable[[], object]) -> None:
    before = started_count(web)
    replace()
    wait_until(lambda: started_count(web) > before, seconds=60)
