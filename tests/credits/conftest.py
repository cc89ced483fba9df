"""Fixtures for the credit tests."""

from datetime import UTC, datetime

import pytest

from apps.workspaces.models import Workspace


@pytest.fixture
def other_workspaces_are_closed(db: None) -> None:
    """Renewal covers every open workspace, and other tests commit some."""
    closed_at = datetime(2026, 1, 1, tzinfo=UTC)
    Workspace.objects.update(deletion_due_at=closed_at, closed_at=closed_at)
