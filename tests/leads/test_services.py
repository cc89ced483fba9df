"""Leads are created once an email, changed field by field, and tell of themselves."""

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
from tests.leads.lead_factory import made, read, told

KEY = api_key_actor("c1", "CI (sk-workspace_ab…yz)")


def changed(lead: Lead, **fields: Any) -> Lead:
    return update_lead(
        workspace_id=lead.workspace_id,
        lead_id=lead.id,
        fields=cast(LeadFields, fields),
        actor=KEY,
    )


def test_lead_is_created_with_what_was_given(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    lead = made(chatbot, phone="+442079460958", metadata={"plan": "pro", "gone": None})
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
    assert told(team.workspace) == [("lead.created", lead_payload(lead))]


def test_same_email_for_the_same_chatbot_changes_the_lead(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    first = made(chatbot, phone="+442079460958", status="contacted", metadata={"a": 1})
    second = made(chatbot, name="Ana B", metadata={"b": 2})
    assert (second.id, second.name, second.phone) == (first.id, "Ana B", "+442079460958")
    assert (second.status, second.metadata) == ("contacted", {"a": 1, "b": 2})
    assert [event for event, _ in told(team.workspace)] == ["lead.created", "lead.updated"]
    assert made(make_chatbot(team.workspace)).id != first.id


def test_twenty_creates_at_once_make_one_lead(live_team: Team) -> None:
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
    events = sorted(event for event, _ in told(live_team.workspace))
    assert events == ["lead.created"] + ["lead.updated"] * 19


def test_change_touches_what_is_given_alone(team: Team) -> None:
    lead = made(make_chatbot(team.workspace), phone="+442079460958", source="fair")
    after = changed(lead, status="qualified", phone=None)
    assert (after.name, after.phone, after.source, after.status) == ("Ana", "", "fair", "qualified")
    assert (after.created_at, after.updated_at > lead.updated_at) == (lead.created_at, True)
    assert told(team.workspace)[-1] == ("lead.updated", lead_payload(after))


def test_metadata_is_merged_key_by_key(team: Team) -> None:
    lead = made(make_chatbot(team.workspace), metadata={"a": {"x": 1}, "b": 2, "c": 3})
    after = changed(lead, metadata={"a": {"y": 1}, "b": None, "absent": None})
    assert after.metadata == {"a": {"y": 1}, "c": 3}


def test_metadata_that_grows_too_large_is_refused(team: Team) -> None:
    lead = made(make_chatbot(team.workspace), metadata={"a": "x" * 10_000})
    with pytest.raises(ValidationFailed) as refused:
        changed(lead, metadata={"b": "x" * 10_000})
    assert refused.value.details == {"metadata": ["This may be at most 16 KiB of JSON."]}


def test_change_that_changes_nothing_is_told_to_nobody(team: Team) -> None:
    lead = made(make_chatbot(team.workspace), metadata={"a": 1})
    after = changed(lead, name="Ana", metadata={"a": 1, "b": None})
    assert (after.updated_at, len(told(team.workspace))) == (lead.updated_at, 1)
    actions = entries_for(team.workspace.id).filter(action__startswith="lead.")
    assert [entry.action for entry in actions] == ["lead.created"]


def test_email_of_another_lead_is_refused(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    lead, other = made(chatbot), made(chatbot, email="bob@example.com")
    with pytest.raises(LeadEmailTaken):
        changed(other, email=lead.email, name="Bob")
    assert Lead.objects.get(id=other.id).name == "Ana"


def test_last_way_to_reach_somebody_is_not_taken_away(team: Team) -> None:
    read(make_chatbot(team.workspace), "+44 20 7946 0958")
    with pytest.raises(ValidationFailed) as refused:
        changed(Lead.objects.get(workspace=team.workspace), phone=None)
    assert list(refused.value.details) == ["phone"]


def test_deleted_lead_takes_its_citations_along(team: Team) -> None:
    conversation = read(make_chatbot(team.workspace), "I am at ana@example.com")
    lead = Lead.objects.get(workspace=team.workspace)
    delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)
    assert (Lead.objects.count(), CapturedField.objects.count()) == (0, 0)
    assert conversation.messages.count() == 2
    with pytest.raises(LeadNotFound):
        delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)


def test_foreign_lead_is_not_found(team: Team) -> None:
    lead = made(make_chatbot(team.outside))
    with pytest.raises(LeadNotFound):
        update_lead(workspace_id=team.workspace.id, lead_id=lead.id, fields={}, actor=KEY)
    with pytest.raises(LeadNotFound):
        delete_lead(workspace_id=team.workspace.id, lead_id=lead.id, actor=KEY)


def test_audit_says_which_fields_and_never_what_they_hold(team: Team) -> None:
    lead = made(make_chatbot(team.workspace))
    changed(lead, name="Bea", status="lost")
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
def test_database_keeps_what_a_lead_is(
    team: Team, column: str, value: object, constraint: str
) -> None:
    lead = made(make_chatbot(team.workspace))
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Lead.objects.filter(id=lead.id).update(**{column: value})
