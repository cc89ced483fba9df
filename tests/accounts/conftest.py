"""Fixtures of the tests of accounts."""

from __future__ import annotations

import pytest

from tests.task_runner import run_queued_tasks


@pytest.fixture
def empty_queue(committed: None) -> None:
    """Drop the tasks that earlier tests left in the queue."""
    run_queued_tasks()
