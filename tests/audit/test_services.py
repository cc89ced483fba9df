"""Writing the audit log, which PostgreSQL keeps unchanged."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from django.test import RequestFactory

from apps.audit.models import ActorKind, AuditEntry
from apps.audit.queries import entries_for
from apps.audit.services import SYSTEM, api_key_actor, record, staff_actor, user_actor
from tests.factories import Team


def test_record_stores_actor_target_and_request(team: Team) -> None:
    request = RequestFactory().post("/", REMOTE_ADDR="203.0.113.9")
    request.request_id = "req_1"  # type: ignore[attr-defined]
    entry = record(
        workspace_id=team.workspace.id,
        actor=user_actor(team.alice, request),
        action="chatbot.updated",
        target_id="c1",
        target_label="Support bot",
        details={"temperature": [0.7, 0.3]},
    )
    entry.refresh_from_db()
    assert (entry.actor_kind, entry.actor_id, entry.actor_label, entry.ip, entry.request_id) == (
        ActorKind.PERSON,
        team.alice.pk,
        team.alice.email,
        "203.0.113.9",
        "req_1",
    )
    assert (entry.target_label, entry.details) == ("Support bot", {"temperature": [0.7, 0.3]})


def test_actors_have_different_kinds(team: Team) -> None:
    kinds = [
        user_actor(team.alice).kind,
        api_key_actor("c1", "CI").kind,
        staff_actor(team.bob).kind,
        SYSTEM.kind,
    ]
    assert kinds == list(ActorKind)


def test_entries_for_lists_own_entries_newest_first(team: Team) -> None:
    for workspace, action in [
        (team.workspace, "key.issued"),
        (team.other_workspace, "key.issued"),
        (team.workspace, "key.revoked"),
    ]:
        record(workspace_id=workspace.id, actor=SYSTEM, action=action)
    record(workspace_id=None, actor=SYSTEM, action="model.added")
    actions = [entry.action for entry in entries_for(team.workspace.id)]
    assert sorted(actions) == ["key.issued", "key.revoked"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET action = 'a.b'",
        "DELETE FROM audit_auditentry",
        "TRUNCATE audit_auditentry",
    ],
)
def test_database_refuses_changes_to_entries(team: Team, statement: str) -> None:
    record(workspace_id=team.workspace.id, actor=SYSTEM, action="key.issued")
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        # TRUNCATE would refuse for a reason of its own while checks are waiting.
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {statement}")
    assert AuditEntry.objects.filter(workspace=team.workspace).count() == 1


def test_database_refuses_malformed_action(team: Team) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        record(workspace_id=team.workspace.id, actor=SYSTEM, action="did something")
