"""Two workers that run a periodic task concurrently do its work once.

Every task of Celery beat must have a case in periodic_task_cases.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.conf import settings
from django.db import connections

from apps.webhooks.models import Delivery
from config import celery_app
from tests.contracts.periodic_task_cases import RECEIVERS, TASK_CASES
from tests.factories import (
    Team,
)
from tests.webhook_receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[None]:
    with Receiver() as started:
        RECEIVERS.append(started)
        yield
        RECEIVERS.pop()


def test_every_periodic_task_has_a_case() -> None:
    assert settings.CELERY_BEAT_SCHEDULE.keys() == TASK_CASES.keys()


@pytest.mark.parametrize("name", TASK_CASES)
def test_concurrent_workers_do_the_work_once(live_team: Team, receiver: None, name: str) -> None:
    celery_app.loader.import_default_modules()
    task = celery_app.tasks[settings.CELERY_BEAT_SCHEDULE[name]["task"]]
    # Deliveries that other tests have left must not be sent.
    Delivery.objects.exclude(workspace=live_team.workspace).update(next_attempt_at=None)
    result, expected = TASK_CASES[name](live_team)
    assert result() != expected, "The case would pass without the task."
    barrier = Barrier(2)

    def worker(_: int) -> None:
        try:
            barrier.wait(timeout=30)
            task.run()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(worker, range(2)))
    assert result() == expected
    task.run()
    assert result() == expected
