from __future__ import annotations

from typing import Any

from apps.audit.services import SYSTEM
from apps.workspaces.services import request_erasure
from tests.factories import Team
from tests.task_runner import run_queued_tasks

TASK = "apps.privacy.tasks.erase_end_users"


def test_requested_erasure_is_enqueued_after_the_commit(
    team: Team, django_capture_on_commit_callbacks: Any
) -> None:
    run_queued_tasks()
    with django_capture_on_commit_callbacks(execute=True):
        request_erasure(workspace=team.workspace, user_id="u-1", actor=SYSTEM)
        assert run_queued_tasks(TASK) == []
    assert run_queued_tasks(TASK) == [TASK]
