"""What is kept no longer goes, and what one end-user said goes when it is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.queries import conversations_for
from apps.credits.queries import balance_for, ledger_sum
from apps.leads.models import Lead
from apps.privacy.end_user_erasure import erase_end_users
from apps.privacy.retention import delete_expired_data
from apps.webhooks.models import Event
from apps.workspaces.models import Erasure, Workspace
from apps.workspaces.services import request_erasure, set_retention
from tests.dashboard.page_client import (
    clients_by_role,
    login,
    page_path,
    shown_messages,
    table_cells,
)
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.leads.lead_factory import make_lead, make_scanned_conversation
from tests.privacy.test_workspace_deletion import tables_containing
from tests.turns.new_turns import completed, opened

SECRET = "Zanzibar"


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    grant_credits(team.workspace, 100)
    return make_chatbot(
        team.workspace, make_language_model(credits_per_reply=1), lead_capture="detect"
    )


def make_turn(chatbot: Chatbot, user_id: Any = None, **fields: Any) -> Turn:
    """A whole exchange, as a program of the workspace sends it for one of its users."""
    metadata = {"userId": user_id} if user_id is not None else None
    turn = opened(chatbot, credits=1, text=SECRET, metadata=metadata, **fields)
    completed(turn, SECRET)
    return turn


def set_age(turn: Turn, days: float) -> None:
    moment = timezone.now() - timedelta(days=days)
    Conversation.objects.filter(id=turn.conversation_id).update(last_message_at=moment)


def conversation_ids(workspace: Workspace) -> set[str]:
    return set(conversations_for(workspace.id).values_list("id", flat=True))


def set_retention_days(
    workspace: Workspace, conversations: int | None = None, leads: int | None = None
) -> None:
    set_retention(
        workspace=workspace, conversations_days=conversations, leads_days=leads, actor=SYSTEM
    )


def test_conversation_is_deleted_after_retention(team: Team, chatbot: Chatbot) -> None:
    old, young = make_turn(chatbot), make_turn(chatbot)
    set_age(old, 30.01)
    set_age(young, 29.99)
    set_retention_days(team.workspace, conversations=30)
    assert delete_expired_data(now=timezone.now()) == 1
    assert conversation_ids(team.workspace) == {young.conversation_id}
    assert Message.objects.filter(conversation_id=old.conversation_id).count() == 0
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
    turn = opened(chatbot, credits=1)
    set_age(turn, 40)
    set_retention_days(team.workspace, conversations=30)
    assert delete_expired_data(now=timezone.now()) == 0
    completed(turn)
    assert delete_expired_data(now=timezone.now()) == 1


def test_lead_is_deleted_after_retention(team: Team, chatbot: Chatbot) -> None:
    moments = {"old": (90, 31), "changed": (90, 29), "young": (5, 5)}
    for name, (made_days, changed_days) in moments.items():
        lead = make_lead(chatbot, name=name, email=f"{name}@example.com")
        now = timezone.now()
        Lead.objects.filter(id=lead.id).update(
            created_at=now - timedelta(days=made_days),
            updated_at=now - timedelta(days=changed_days),
        )
    theirs = make_lead(make_chatbot(team.other_workspace), name="theirs")
    long_ago = timezone.now() - timedelta(days=400)
    Lead.objects.filter(id=theirs.id).update(created_at=long_ago, updated_at=long_ago)
    set_retention_days(team.workspace, leads=30)
    assert delete_expired_data(now=timezone.now()) == 1
    left = Lead.objects.filter(workspace__in=[team.workspace, team.other_workspace])
    assert set(left.values_list("name", flat=True)) == {"changed", "young", "theirs"}
    (entry,) = AuditEntry.objects.filter(workspace=team.workspace, action="lead.forgotten")
    assert entry.details == {"leads": 1}


def test_retention_change_is_audited_and_validated(team: Team) -> None:
    set_retention_days(team.workspace, conversations=30)
    set_retention_days(team.workspace, conversations=30)
    (entry,) = AuditEntry.objects.filter(workspace=team.workspace, action="workspace.retention_set")
    assert entry.details == {"keep_conversations_days": [None, 30]}
    with pytest.raises(ValidationError):
        set_retention_days(team.workspace, leads=4000)


def request_user_erasure(team: Team, user_id: str) -> Erasure:
    return request_erasure(workspace=team.workspace, user_id=user_id, actor=SYSTEM)


def test_erasure_removes_only_that_end_user(team: Team, chatbot: Chatbot) -> None:
    make_webhook_endpoint(team.workspace)
    theirs, also_theirs, other = (
        make_turn(chatbot, "u-1"),
        make_turn(chatbot, "u-1"),
        make_turn(chatbot, "u-2"),
    )
    later = make_turn(chatbot, "u-3", conversation_id=theirs.conversation_id)
    anonymous = make_turn(chatbot)
    foreign = make_chatbot(team.other_workspace)
    grant_credits(team.other_workspace, 1)
    outside = make_turn(foreign, "u-1")
    erasure = request_user_erasure(team, "u-1")
    assert erase_end_users(now=timezone.now()) == 1
    assert conversation_ids(team.workspace) == {other.conversation_id, anonymous.conversation_id}
    assert conversation_ids(team.other_workspace) == {outside.conversation_id}
    gone = {theirs.conversation_id, also_theirs.conversation_id}
    assert later.conversation_id in gone
    assert Message.objects.filter(conversation_id__in=gone).count() == 0
    told = Event.objects.filter(workspace=team.workspace)
    assert gone & set(told.values_list("data__conversationId", flat=True)) == set()
    erasure.refresh_from_db()
    assert (erasure.user_id, erasure.conversations, erasure.leads) == ("", 2, 0)
    assert tables_containing("u-1", team.workspace) == []
    assert balance_for(team.workspace.id).balance == ledger_sum(team.workspace.id) == 95


def test_erasure_removes_leads_of_the_conversation(team: Team, chatbot: Chatbot) -> None:
    make_webhook_endpoint(team.workspace)
    conversation = make_scanned_conversation(chatbot, "I am Ana Lima, ana@example.com")
    stays = make_lead(chatbot, name="Zoe", email="zoe@example.com")
    Message.objects.filter(conversation=conversation).update(metadata={"userId": "u-1"})
    erasure = request_user_erasure(team, "u-1")
    erase_end_users(now=timezone.now())
    assert list(Lead.objects.filter(workspace=team.workspace)) == [stays]
    erasure.refresh_from_db()
    assert (erasure.conversations, erasure.leads) == (1, 1)
    assert tables_containing("ana@example.com", team.workspace) == []


@pytest.mark.parametrize(("sent", "asked"), [(42, "42"), ("Ünï 🙂'", "Ünï 🙂'")])
def test_erasure_matches_user_id_of_any_type(
    team: Team, chatbot: Chatbot, sent: object, asked: str
) -> None:
    make_turn(chatbot, sent)
    request_user_erasure(team, asked)
    erase_end_users(now=timezone.now())
    assert conversation_ids(team.workspace) == set()


def test_erasure_waits_for_running_turn(team: Team, chatbot: Chatbot) -> None:
    turn = opened(chatbot, credits=1, metadata={"userId": "u-1"})
    request_user_erasure(team, "u-1")
    now = timezone.now()
    assert erase_end_users(now=now) == 0
    completed(turn)
    assert erase_end_users(now=now) == 0
    assert erase_end_users(now=now + timedelta(minutes=11)) == 1
    assert conversation_ids(team.workspace) == set()


@pytest.mark.parametrize("user_id", ["", "x" * 256])
def test_invalid_user_id_is_rejected(team: Team, user_id: str) -> None:
    with pytest.raises(ValueError, match="A user id has"):
        request_user_erasure(team, user_id)


def test_settings_page_sets_retention(team: Team) -> None:
    alice = login(team.alice)
    address = page_path(team.workspace, "settings/keep-for")
    done = alice.post(address, {"conversations_days": "90", "leads_days": ""}, follow=True)
    assert shown_messages(done) == ["Changes saved. Older data is deleted within an hour."]
    team.workspace.refresh_from_db()
    assert (team.workspace.keep_conversations_days, team.workspace.keep_leads_days) == (90, None)
    assert 'value="90"' in done.content.decode()
    wrong = alice.post(address, {"conversations_days": "0", "leads_days": "4000"})
    assert wrong.status_code == 422
    assert wrong.context["retention_form"].errors.keys() == {"conversations_days", "leads_days"}


def test_settings_page_requests_and_lists_erasures(team: Team, chatbot: Chatbot) -> None:
    make_turn(chatbot, "u-1")
    alice = login(team.alice)
    address = page_path(team.workspace, "settings/erase-user")
    asked = alice.post(address, {"user_id": "u-1"}, follow=True)
    assert table_cells(asked.content.decode()) == [
        ["just now", team.alice.email, "Pending", "", ""]
    ]
    erase_end_users(now=timezone.now())
    page = alice.get(page_path(team.workspace, "settings")).content.decode()
    assert table_cells(page) == [["just now", team.alice.email, "Erased", "1", "0"]]
    assert "u-1" not in page
    assert alice.post(address, {"user_id": ""}).status_code == 422


@pytest.mark.parametrize("page", ["settings/keep-for", "settings/erase-user"])
def test_settings_actions_require_permission(team: Team, page: str) -> None:
    found = {
        name: browser.post(page_path(team.workspace, page), {"user_id": "u-1"}).status_code
        for name, browser in clients_by_role(team).items()
    }
    assert found == {
        "owner": 302,
        "admin": 302,
        "member": 403,
        "viewer": 403,
        "outsider": 404,
        "anonymous": 302,
    }
