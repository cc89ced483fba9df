"""Writing export files in parts, by several, interrupted and failing workers."""

from __future__ import annotations

import threading
from queue import Queue

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.conversations.errors import TooManyExports
from apps.conversations.exports import writer
from apps.conversations.exports.parts import build_next_part
from apps.conversations.exports.writer import MAX_ATTEMPTS, write_pending_exports
from apps.conversations.models.export import Export, ExportPart
from apps.infrastructure.postgres.claims import renewed
from tests.conversations.export_factory import (
    make_conversation,
    make_export,
    make_pending_export,
    message_texts,
)
from tests.factories import Team, make_chatbot, make_workspace
from tests.fault_injection import reject_inserts
from tests.turns.turn_factory import complete_turn, make_running_turn


@pytest.fixture
def small_parts(settings: Settings) -> None:
    """Parts of two rows, so that a few messages make several parts."""
    settings.EXPORT_PART_ROWS = 2


@pytest.mark.usefixtures("small_parts")
def test_parts_have_no_gaps_or_repeats(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    expected = []
    for number in range(7):
        conversation = make_conversation(chatbot, f"{number}", "yes")
        expected += [f"{number}", "yes"]
        for more in range(number % 4):
            complete_turn(
                make_running_turn(
                    chatbot, conversation_id=conversation.id, text=f"{number}.{more}"
                ),
                "and",
            )
            expected += [f"{number}.{more}", "and"]
    export = make_export(team.workspace)
    assert message_texts(export) == expected
    assert export.parts == ExportPart.objects.filter(export=export).count()
    assert export.parts > 5
    assert (export.rows, export.conversations_done) == (len(expected), 7)


@pytest.mark.usefixtures("small_parts")
def test_each_run_continues_after_the_last_one(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    for number in range(5):
        make_conversation(chatbot, f"{number}", "yes")
    export = make_pending_export(team.workspace)
    runs = 1
    while write_pending_exports(max_seconds=0):
        runs += 1
        export.refresh_from_db()
    assert runs > 3
    assert message_texts(export) == [text for number in range(5) for text in (f"{number}", "yes")]


@pytest.mark.usefixtures("small_parts")
def test_worker_without_its_claim_writes_nothing(team: Team) -> None:
    make_conversation(make_chatbot(team.workspace), "One", "Eins")
    export = make_pending_export(team.workspace)
    slow = writer.claim_next_export()
    assert slow is not None
    part = build_next_part(slow, max_rows=10)
    Export.objects.filter(pk=export.pk).update(claimed_until=timezone.now())
    write_pending_exports(max_seconds=60)
    assert writer.save_part(slow, part) is False
    assert message_texts(export) == ["One", "Eins"]


def test_export_fails_after_too_many_attempts(team: Team) -> None:
    export = make_pending_export(team.workspace)
    for _ in range(MAX_ATTEMPTS):  # workers that die before they write anything
        assert writer.claim_next_export() is not None
        Export.objects.filter(pk=export.pk).update(claimed_until=timezone.now())
    write_pending_exports(max_seconds=60)
    export.refresh_from_db()
    assert (export.status, export.error) == (
        "failed",
        "The file could not be written. Ask for it again, or for fewer days.",
    )


def test_export_fails_when_file_is_too_large(team: Team, settings: Settings) -> None:
    settings.EXPORT_MOST_BYTES = 2**20
    make_conversation(make_chatbot(team.workspace), "x" * 2**20)
    export = make_export(team.workspace)
    assert (export.status, export.error) == (
        "failed",
        "The file would be larger than 1 MiB. Ask for fewer days at a time.",
    )


def test_bytes_of_all_exports_are_limited(team: Team, settings: Settings) -> None:
    make_conversation(make_chatbot(team.workspace), "x" * 2**20)
    settings.MAX_EXPORTED_BYTES = 3 * 2**20
    first, second, third = (make_export(team.workspace) for _ in range(3))
    assert (first.status, second.status, third.status) == ("completed", "completed", "failed")
    assert third.error == "This workspace keeps 3 MiB of exports. Delete one, then ask again."
    assert (third.size, ExportPart.objects.filter(export=third).count()) == (0, 0)
    settings.MAX_EXPORTED_BYTES = 2**20
    with pytest.raises(TooManyExports, match="keeps 1 MiB of exports"):
        make_pending_export(team.workspace)
    make_pending_export(team.other_workspace)


def test_concurrent_exports_per_workspace_are_limited(team: Team) -> None:
    own = [make_pending_export(team.workspace) for _ in range(3)]
    other = make_pending_export(team.other_workspace)
    claimed = [writer.claim_next_export() for _ in range(4)]
    assert [export and export.id for export in claimed] == [own[0].id, other.id, None, None]


def test_workspaces_take_turns(team: Team) -> None:
    """One worker writes a part of each workspace's exports in turn, not of each export."""
    own = [make_pending_export(team.workspace) for _ in range(3)]
    others = [make_pending_export(make_workspace()) for _ in range(2)]
    served = []
    for _ in range(6):
        claimed = writer.claim_next_export()
        assert claimed is not None
        served.append(claimed.workspace_id)
        Export.objects.filter(pk=claimed.pk).update(claimed_until=None)
    workspaces = {team.workspace.id, *(each.workspace_id for each in others)}
    assert set(served[:3]) == set(served[3:]) == workspaces
    assert Export.objects.filter(pk__in=[each.pk for each in own], attempts=1).count() == 2


def test_failing_export_stops_no_other(team: Team) -> None:
    make_conversation(make_chatbot(team.workspace), "One", "")
    failing = make_pending_export(team.workspace)
    other = make_pending_export(team.other_workspace)
    with reject_inserts("conversations_exportpart", team.workspace):
        write_pending_exports(max_seconds=60)
    failing.refresh_from_db()
    other.refresh_from_db()
    assert (failing.status, failing.attempts, other.status) == ("running", 1, "completed")


def test_claim_is_renewed_while_work_goes_on() -> None:
    renewals: Queue[int] = Queue()
    with renewed(lambda: renewals.put(1), seconds=0.03):
        assert [renewals.get(timeout=30) for _ in range(3)] == [1, 1, 1]
    while not renewals.empty():
        renewals.get()
    assert [thread for thread in threading.enumerate() if thread.name == "claim"] == []
