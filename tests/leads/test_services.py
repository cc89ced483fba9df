"""Creating, updating and deleting leads, with their events and audit entries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.db import IntegrityError, connection, transaction

from apps.audit.queries import entries_for
from apps.audit.services import api_key_actor
from apps.core.errors import ValidationFailed
from apps.leads.errors import LeadEmailTaken, LeadNotFound
from apps.leads.fields import LeadFields
from apps.leads.models import CapturedField, Lead
from apps.leads.payloads import lead_payload
from apps.leads.services import create_lead, delete_lead, update_lead
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import lead_events, make_lead, make_scanned_conversation

KEY = api_key_actor("c1", "CI (sk-workspace_ab…yz)")


def update(lead: Lead, **fields: Any) -> Lead:
    return update_lead(
        workspace_id=lead.workspace_id,
        lead_id=lead.id,
        fields=cast(LeadFields, fields),
        actor=KEY,
    )


def test_lead_is_created_with_the_given_fields(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    lead = make_lead(chatbot, phone="+442079460958", metadata={"plan": "pro", "gone": None})
    assert lead_payload(Lead.objects.get(id=lead.id)) == {
        "id": lead.id,
        "chatbotId": chatbot.id,
        "conversationId": None,
        "name": "Ana",
        "email": "ana@example.com",
        "phone": "+442079460958",
        "source": "api",
        "status": "new",
        "metadata": {"plan": "pro"},
        "captured": [],
        "createdAt": lead.created_at.isoformat(),
        "updatedAt": lead.updated_at.isoformat(),
    }
    assert lead_events(team.workspace) == [("lead.created", lead_payload(lead))]


def test_create_with_a_known_email_updates_the_lead(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    first = make_lead(chatbot, phone="+442079460958", status="contacted", metadata={"a": 1})
    second = make_lead(chatbot, name="Ana B", metadata={"b": 2})
    assert (second.id, second.name, second.phone) == (first.id, "Ana B", "+442079460958")
    assert (second.status, second.metadata) == ("contacted", {"a": 1, "b": 2})
    assert [event for event, _ in lead_events(team.workspace)] == ["lead.created", "lead.updated"]
    assert make_lead(make_chatbot(team.workspace)).id != first.id


def test_concurrent_creates_make_one_lead(live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace)

    def create(number: int) -> bool:
        try:
            fields: LeadFields = {"name": "Ana", "email": "ana@example.com"}
            fields["metadata"] = {str(number): number}
            return create_lead(
                workspace_id=chatbot.workspace_id, chatbot_id=chatbot.id, fields=fields, actor=KEY
            )[1]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        new = list(pool.map(create, range(20)))
    lead = Lead.objects.get(workspace=live_team.workspace)
    assert (sum(new), lead.metadata) == (1, {str(number): number for number in range(20)})
    events = sorted(event for event, _ in lead_events(live_team.workspace))
    assert events == ["lead.created"] + ["lead.updated"] * 19


def test_update_changes_only_the_given_fields(team: Team) -> None:
    lead = make_lead(make_chatbot(team.workspace), phone="+442079460958", source="fair")
    after = update(lead, status="qualified", phone=None)
    assert (after.name, after.phone, after.source, after.status) == ("Ana", "", "fair", "qualified")
    assert (after.created_at, after.updated_at > lead.updated_at) == (lead.created_at, True)
    assert lead_events(team.workspace)[-1] == ("lead.updated", lead_payload(after))


def test_metadata_is_merged_key_by_key(team: Team) -> None:
    lead = make_lead(make_chatbot(team.workspace), metadata={"a": {"x": 1}, "b": 2, "c": 3})
    after = update(lead, metadata={"a": {"y": 1}, "b": None, "absent": None})
    assert after.metadata == {"a": {"y": 1}, "c": 3}


def test_too_large_merged_metadata_is_rejected(team: Team) -> None:
    lead = make_lead(make_chatbot(team.workspace), metadata={"a": "x" * 10_000})
    with pytest.raises(ValidationFailed) as refused:
        update(lead, metadata={"b": "x" * 10_000})
    assert refused.value.details == {"metadata": ["This may be at most 16 KiB of JSON."]}


def test_update_without_changes_emits_nothing(team: Team) -> None:
    lead = make_lead(make_chatbot(team.workspace), metadata={"a": 1})
    after = update(lead, name="Ana", metadata={"a": 1, "b": None})
    assert (after.updated_at, len(lead_events(team.workspace))) == (lead.updated_at, 1)
    actions = entries_for(team.workspace.id).filter(action__startswith="lead.")
    assert [entry.action for entry in actions] == ["lead.created"]


def test_email_of_another_lead_is_rejected(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    lead, other = make_lead(chatbot), make_lead(chatbot, email="bob@example.com")
    with pytest.raises(LeadEmailTaken):
        update(other, email=lead.email, name="Bob")
    assert Lead.objects.get(id=other.id).name == "Ana"


def test_last_contact_detail_cannot_be_removed(team: Team) -> None:
    make_scanned_conversation(make_chatbot(team.workspace), "+44 20 7946 0958")
    with pytest.raises(ValidationFailed) as refused:
        update(Lead.objects.get(workspace=team.workspace), phone=None)
    assert list(refused.value.details) == ["phone"]


def test_delete_removes_the_citations(team: Team) -> None:
    conversation = make_scanned_conversation(
        make_chatbot(team.workspace), "I am at ana@example.com"
    )
    lead = Lead.objects.get(workspace=team.workspace)
    delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)
    assert (Lead.objects.count(), CapturedField.objects.count()) == (0, 0)
    assert conversation.messages.count() == 2
    with pytest.raises(LeadNotFound):
        delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)


def test_foreign_lead_is_not_found(team: Team) -> None:
    lead = make_lead(make_chatbot(team.other_workspace))
    with pytest.raises(LeadNotFound):
        update_lead(workspace_id=team.workspace.id, lead_id=lead.id, fields={}, actor=KEY)
    with pytest.raises(LeadNotFound):
        delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)


def test_audit_names_fields_without_their_values(team: Team) -> None:
    lead = make_lead(make_chatbot(team.workspace))
    update(lead, name="Bea", status="lost")
    delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)
    entries = entries_for(team.workspace.id).filter(action__startswith="lead.").order_by("id")
    assert list(entries.values_list("action", "actor_label", "details")) == [
        ("lead.created", "Parley", {"fields": ["email", "name"]}),
        ("lead.updated", KEY.label, {"fields": ["name", "status"]}),
        ("lead.deleted", KEY.label, {}),
    ]
    assert {entry.target_id for entry in entries} == {lead.id}


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("email", "Ana@example.com", "leads_email_normalised"),
        ("email", "nobody", "leads_email_normalised"),
        ("phone", "020 7946 0958", "leads_phone_is_e164"),
        ("status", "unknown", "leads_status_known"),
        ("email", None, "leads_can_be_reached"),
        ("metadata", [], "leads_metadata_is_a_bounded_object"),
        ("metadata", {"a": "x" * 65_536}, "leads_metadata_is_a_bounded_object"),
    ],
)
def test_database_rejects_invalid_leads(
    team: Team, column: str, value: object, constraint: str
) -> None:
    lead = make_lead(make_chatbot(team.workspace))
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Lead.objects.filter(id=lead.id).update(**{column: value})
