"""The audit log: whose hand, what it did, from where; and for ever."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from django.test import RequestFactory

from apps.audit.models import ActorKind, AuditEntry
from apps.audit.queries import entries_for
from apps.audit.services import SYSTEM, api_key_actor, record, staff_actor, user_actor
from tests.factories import Team


def test_record_says_who_what_when_and_from_where(team: Team) -> None:
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


def test_each_kind_of_hand_is_told_apart(team: Team) -> None:
    kinds = [
        user_actor(team.alice).kind,
        api_key_actor("c1", "CI").kind,
        staff_actor(team.bob).kind,
        SYSTEM.kind,
    ]
    assert kinds == list(ActorKind)


def test_log_of_a_workspace_is_its_own_newest_first(team: Team) -> None:
    for workspace, action in [
        (team.workspace, "key.issued"),
        (team.outside, "key.issued"),
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
def test_entries_are_never_changed_by_raw_sql(team: Team, statement: str) -> None:
    record(workspace_id=team.workspace.id, actor=SYSTEM, action="key.issued")
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        # TRUNCATE would refuse for a reason of its own while checks are waiting.
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {statement}")
    assert AuditEntry.objects.filter(workspace=team.workspace).count() == 1


def test_action_without_a_thing_and_a_verb_is_refused(team: Team) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        record(workspace_id=team.workspace.id, actor=SYSTEM, action="did something")
