"""Concurrent opening and settling wait for each other without deadlock, in either order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from apps.conversations.errors import ConversationBusy
from apps.conversations.models import Turn
from apps.credits.models import Account
from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, grant_credits, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn


class ConcurrentStep:
    """A step that runs in a thread with its own database connection."""

    def __init__(self, pool: ThreadPoolExecutor, step: Callable[[], Any]) -> None:
        self.backend = 0
        self.step = step
        self.future: Future[Any] = pool.submit(self._run)

    def _run(self) -> Any:
        try:
            connection.ensure_connection()
            self.backend = connection.connection.info.backend_pid
            return self.step()
        finally:
            connection.close()

    def is_waiting_or_done(self) -> bool:
        return self.future.done() or is_waiting_for_lock(self.backend)


def is_waiting_for_lock(backend: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [backend]
        )
        return bool(cursor.fetchone()[0])


@contextmanager
def run_in_order(team: Team, *steps: Callable[[], Any]) -> Iterator[list[Future[Any]]]:
    """Start each step when the one before is done or waits for the lock on the account."""
    with ThreadPoolExecutor(len(steps)) as pool:
        with transaction.atomic():
            Account.objects.select_for_update().get(workspace=team.workspace)
            started: list[ConcurrentStep] = []
            for step in steps:
                started.append(ConcurrentStep(pool, step))
                wait_until(started[-1].is_waiting_or_done)
        yield [each.future for each in started]


@pytest.fixture
def running(live_team: Team) -> Turn:
    """A running turn that holds 2 of 10 credits."""
    grant_credits(live_team.workspace, 10)
    return make_running_turn(make_chatbot(live_team.workspace), credits=2)


def open_another(running: Turn) -> Turn:
    return make_running_turn(running.chatbot, conversation_id=running.conversation_id, credits=2)


def test_turn_opened_before_another_settles_is_rejected(live_team: Team, running: Turn) -> None:
    steps = (lambda: open_another(running), lambda: complete_turn(running))
    with run_in_order(live_team, *steps) as (opening, settling):
        assert isinstance(opening.exception(timeout=20), ConversationBusy)
        assert settling.result(timeout=20).charged == 0
    assert turn_statuses(live_team.workspace) == ["completed"]
    assert credit_state(live_team.workspace) == (10, 0, [])


def test_turn_opened_while_another_settles_waits_for_it(live_team: Team, running: Turn) -> None:
    steps = (lambda: complete_turn(running), lambda: open_another(running))
    with run_in_order(live_team, *steps) as (settling, opening):
        assert settling.result(timeout=20).charged == 0
        assert opening.result(timeout=20).status == "running"
    assert turn_statuses(live_team.workspace) == ["completed", "running"]
    assert credit_state(live_team.workspace) == (10, 2, [])
