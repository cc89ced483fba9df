"""Keyset pagination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.api_kit.pagination import paginate_newest_first
from apps.audit.models import AuditEntry
from apps.audit.queries import entries_for
from apps.core.errors import ValidationFailed
from tests.factories import Team


def pages(workspace_id: str, *, limit: int) -> list[list[AuditEntry]]:
    found, cursor = [], None
    while True:
        page = paginate_newest_first(entries_for(workspace_id), cursor=cursor, limit=limit)
        found.append(page.rows)
        cursor = page.next_cursor
        if cursor is None:
            return found


def create_entries(team: Team, number: int) -> list[str]:
    """Create entries of the same time, sorted by id alone. Returns their ids."""
    now = datetime.now(UTC)
    return [
        AuditEntry.objects.create(
            workspace=team.workspace, actor_kind="system", action="a.b", created_at=now
        ).id
        for _ in range(number)
    ]


@pytest.mark.parametrize(
    ("rows", "limit", "lengths"), [(0, 2, [0]), (4, 2, [2, 2]), (5, 2, [2, 2, 1])]
)
def test_pages_hold_every_row_once(team: Team, rows: int, limit: int, lengths: list[int]) -> None:
    ids = create_entries(team, rows)
    found = pages(team.workspace.id, limit=limit)
    assert [len(page) for page in found] == lengths
    assert [row.id for page in found for row in page] == sorted(ids, reverse=True)


def test_newer_rows_do_not_shift_the_next_page(team: Team) -> None:
    create_entries(team, 4)
    first = paginate_newest_first(entries_for(team.workspace.id), cursor=None, limit=2)
    now = datetime.now(UTC)
    AuditEntry.objects.create(
        workspace=team.workspace,
        actor_kind="system",
        action="a.b",
        created_at=now + timedelta(days=1),
    )
    rest = paginate_newest_first(entries_for(team.workspace.id), cursor=first.next_cursor, limit=9)
    assert (len(rest.rows), {row.id for row in rest.rows} & {row.id for row in first.rows}) == (
        2,
        set(),
    )


@pytest.mark.parametrize(
    "cursor", ["", "x", "é" * 36, "2026-01-01", "0" * 36, "c" * 35, "C" * 36, "c" * 36 + "\n"]
)
def test_malformed_cursor_is_refused(team: Team, cursor: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        paginate_newest_first(entries_for(team.workspace.id), cursor=cursor, limit=2)
    assert refused.value.body()["details"] == {"cursor": ["This is not a cursor of this list."]}
