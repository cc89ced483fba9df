"""Deleting conversations and leads past their retention period."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.models import Citation, Conversation, Message, Turn
from apps.credits.queries import balance_for, ledger_sum
from apps.leads.models import Lead
from apps.privacy.retention import delete_expired_data
from apps.workspaces.models import Workspace
from apps.workspaces.services import set_retention
from tests.conversations.citation_factory import make_citation
from tests.dashboard.page_client import clients_by_role, login, page_path, shown_messages
from tests.factories import Team, make_chatbot
from tests.fault_injection import reject_inserts
from tests.leads.lead_factory import make_lead
from tests.privacy.end_user_turns import conversation_ids, make_turn
from tests.turns.turn_factory import complete_turn, make_running_turn


def set_age(turn: Turn, days: float) -> None:
    last_message_at = timezone.now() - timedelta(days=days)
    Conversation.objects.filter(id=turn.conversation_id).update(last_message_at=last_message_at)


def set_retention_days(
    workspace: Workspace, conversations: int | None = None, leads: int | None = None
) -> None:
    set_retention(
        workspace=workspace, conversations_days=conversations, leads_days=leads, actor=SYSTEM
    )


def test_conversation_is_deleted_after_retention(team: Team, chatbot: Chatbot) -> None:
    old, young = make_turn(chatbot), make_turn(chatbot)
    make_citation(old)
    kept = make_citation(young)
    set_age(old, 30.01)
    set_age(young, 29.99)
    set_retention_days(team.workspace, conversations=30)
    assert delete_expired_data(now=timezone.now()) == 1
    assert conversation_ids(team.workspace) == {young.conversation_id}
    assert Message.objects.filter(conversation_id=old.conversation_id).count() == 0
    assert list(Citation.objects.filter(workspace=team.workspace)) == [kept]
    assert delete_expired_data(now=timezone.now()) == 0
    assert balance_for(team.workspace.id).balance == ledger_sum(team.workspace.id) == 98


def test_without_retention_nothing_is_deleted(team: Team, chatbot: Chatbot) -> None:
    turn = make_turn(chatbot)
    set_age(turn, 3000)
    long_ago = timezone.now() - timedelta(days=3000)
    Lead.objects.filter(id=make_lead(chatbot).id).update(created_at=long_ago, updated_at=long_ago)
    assert delete_expired_data(now=timezone.now()) == 0
    assert conversation_ids(team.workspace) == {turn.conversation_id}


def test_running_turn_delays_deletion(team: Team, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=1)
    set_age(turn, 40)
    set_retention_days(team.workspace, conversations=30)
    assert delete_expired_data(now=timezone.now()) == 0
    complete_turn(turn)
    assert delete_expired_data(now=timezone.now()) == 1


def test_lead_is_deleted_after_retention(team: Team, chatbot: Chatbot) -> None:
    ages = {"old": (90, 31), "changed": (90, 29), "young": (5, 5)}
    for name, (created_days, changed_days) in ages.items():
        lead = make_lead(chatbot, name=name, email=f"{name}@example.com")
        now = timezone.now()
        Lead.objects.filter(id=lead.id).update(
            created_at=now - timedelta(days=created_days),
            updated_at=now - timedelta(days=changed_days),
        )
    foreign = make_lead(make_chatbot(team.other_workspace), name="foreign")
    long_ago = timezone.now() - timedelta(days=400)
    Lead.objects.filter(id=foreign.id).update(created_at=long_ago, updated_at=long_ago)
    set_retention_days(team.workspace, leads=30)
    assert delete_expired_data(now=timezone.now()) == 1
    left = Lead.objects.filter(workspace__in=[team.workspace, team.other_workspace])
    assert set(left.values_list("name", flat=True)) == {"changed", "young", "foreign"}
    (entry,) = AuditEntry.objects.filter(workspace=team.workspace, action="lead.forgotten")
    assert entry.details == {"leads": 1}


def test_failing_workspace_stops_no_other(team: Team, chatbot: Chatbot) -> None:
    other = make_chatbot(team.other_workspace)
    for each in (chatbot, other):
        make_lead(each)
    old = timezone.now() - timedelta(days=3)
    Lead.objects.filter(chatbot__in=[chatbot, other]).update(created_at=old, updated_at=old)
    Workspace.objects.filter(pk__in=[chatbot.workspace_id, other.workspace_id]).update(
        keep_leads_days=1
    )
    with reject_inserts("audit_auditentry", team.workspace):
        delete_expired_data(now=timezone.now())
    assert not Lead.objects.filter(chatbot=other).exists()


def test_retention_change_is_audited_and_validated(team: Team) -> None:
    set_retention_days(team.workspace, conversations=30)
    set_retention_days(team.workspace, conversations=30)
    (entry,) = AuditEntry.objects.filter(workspace=team.workspace, action="workspace.retention_set")
    assert entry.details == {"keep_conversations_days": [None, 30]}
    with pytest.raises(ValidationError):
        set_retention_days(team.workspace, leads=4000)


def test_settings_page_sets_retention(team: Team) -> None:
    alice = login(team.alice)
    url = page_path(team.workspace, "settings/keep-for")
    saved = alice.post(url, {"conversations_days": "90", "leads_days": ""}, follow=True)
    assert shown_messages(saved) == ["Changes saved. Older data is deleted within an hour."]
    team.workspace.refresh_from_db()
    assert (team.workspace.keep_conversations_days, team.workspace.keep_leads_days) == (90, None)
    assert 'value="90"' in saved.content.decode()
    invalid = alice.post(url, {"conversations_days": "0", "leads_days": "4000"})
    assert invalid.status_code == 422
    assert invalid.context["retention_form"].errors.keys() == {"conversations_days", "leads_days"}


@pytest.mark.parametrize("page", ["settings/keep-for", "settings/erase-user"])
def test_settings_actions_require_permission(team: Team, page: str) -> None:
    statuses = {
        role: client.post(page_path(team.workspace, page), {"user_id": "u-1"}).status_code
        for role, client in clients_by_role(team).items()
    }
    assert statuses == {
        "owner": 302,
        "admin": 302,
        "member": 403,
        "viewer": 403,
        "outsider": 404,
        "anonymous": 302,
    }
