"""Erasing the data of one end user."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.models import Citation, Message
from apps.credits.queries import balance_for, ledger_sum
from apps.leads.models import Lead
from apps.privacy.end_user_erasure import erase_end_users
from apps.webhooks.models import Event
from apps.workspaces.models import Erasure
from apps.workspaces.services import claim_erasure, finish_erasure, request_erasure
from tests.conversations.citation_factory import make_citation
from tests.dashboard.page_client import login, page_path, table_cells
from tests.factories import Team, grant_credits, make_chatbot, make_webhook_endpoint
from tests.fault_injection import reject_deletes
from tests.leads.lead_factory import make_lead, make_scanned_conversation
from tests.privacy.end_user_turns import conversation_ids, make_turn
from tests.privacy.test_workspace_deletion import tables_containing
from tests.turns.turn_factory import complete_turn, make_running_turn


def request_user_erasure(team: Team, user_id: str) -> Erasure:
    return request_erasure(workspace=team.workspace, user_id=user_id, actor=SYSTEM)


def test_erasure_removes_only_that_end_user(team: Team, chatbot: Chatbot) -> None:
    make_webhook_endpoint(team.workspace)
    first, second, other = (
        make_turn(chatbot, "u-1"),
        make_turn(chatbot, "u-1"),
        make_turn(chatbot, "u-2"),
    )
    later = make_turn(chatbot, "u-3", conversation_id=first.conversation_id)
    anonymous = make_turn(chatbot)
    foreign = make_chatbot(team.other_workspace)
    grant_credits(team.other_workspace, 1)
    outside = make_turn(foreign, "u-1")
    for turn in (first, second, other, later, outside):
        make_citation(turn)
    erasure = request_user_erasure(team, "u-1")
    assert erase_end_users(now=timezone.now()) == 1
    assert conversation_ids(team.workspace) == {other.conversation_id, anonymous.conversation_id}
    assert conversation_ids(team.other_workspace) == {outside.conversation_id}
    erased = {first.conversation_id, second.conversation_id}
    assert later.conversation_id in erased
    assert Message.objects.filter(conversation_id__in=erased).count() == 0
    cited = Citation.objects.filter(workspace__in=[team.workspace, team.other_workspace])
    assert set(cited.values_list("turn_id", flat=True)) == {other.id, outside.id}
    events = Event.objects.filter(workspace=team.workspace)
    assert erased & set(events.values_list("data__conversationId", flat=True)) == set()
    erasure.refresh_from_db()
    assert (erasure.user_id, erasure.conversations, erasure.leads) == ("", 2, 0)
    assert tables_containing("u-1", team.workspace) == []
    assert balance_for(team.workspace.id).balance == ledger_sum(team.workspace.id) == 95


def test_erasure_removes_leads_of_the_conversation(team: Team, chatbot: Chatbot) -> None:
    make_webhook_endpoint(team.workspace)
    conversation = make_scanned_conversation(chatbot, "I am Ana Lima, ana@example.com")
    other = make_lead(chatbot, name="Zoe", email="zoe@example.com")
    Message.objects.filter(conversation=conversation).update(metadata={"userId": "u-1"})
    erasure = request_user_erasure(team, "u-1")
    erase_end_users(now=timezone.now())
    assert list(Lead.objects.filter(workspace=team.workspace)) == [other]
    erasure.refresh_from_db()
    assert (erasure.conversations, erasure.leads) == (1, 1)
    assert tables_containing("ana@example.com", team.workspace) == []


@pytest.mark.parametrize(("sent", "requested"), [(42, "42"), ("Ünï 🙂'", "Ünï 🙂'")])
def test_erasure_matches_user_id_of_any_type(
    team: Team, chatbot: Chatbot, sent: object, requested: str
) -> None:
    make_turn(chatbot, sent)
    request_user_erasure(team, requested)
    erase_end_users(now=timezone.now())
    assert conversation_ids(team.workspace) == set()


def test_erasure_waits_for_running_turn(team: Team, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=1, metadata={"userId": "u-1"})
    request_user_erasure(team, "u-1")
    now = timezone.now()
    assert erase_end_users(now=now) == 0
    complete_turn(turn)
    assert erase_end_users(now=now) == 0
    assert erase_end_users(now=now + timedelta(minutes=11)) == 1
    assert conversation_ids(team.workspace) == set()


@pytest.mark.parametrize("user_id", ["", "x" * 256])
def test_invalid_user_id_is_rejected(team: Team, user_id: str) -> None:
    with pytest.raises(ValueError, match="A user id has"):
        request_user_erasure(team, user_id)


def test_settings_page_requests_and_lists_erasures(team: Team, chatbot: Chatbot) -> None:
    make_turn(chatbot, "u-1")
    alice = login(team.alice)
    url = page_path(team.workspace, "settings/erase-user")
    response = alice.post(url, {"user_id": "u-1"}, follow=True)
    assert table_cells(response.content.decode()) == [
        ["just now", team.alice.email, "Pending", "", ""]
    ]
    erase_end_users(now=timezone.now())
    page = alice.get(page_path(team.workspace, "settings")).content.decode()
    assert table_cells(page) == [["just now", team.alice.email, "Erased", "1", "0"]]
    assert "u-1" not in page
    assert alice.post(url, {"user_id": ""}).status_code == 422


def test_erasures_of_workspaces_take_turns(team: Team) -> None:
    for number in range(3):
        request_erasure(workspace=team.workspace, user_id=f"{number}", actor=SYSTEM)
    request_erasure(workspace=team.other_workspace, user_id="other", actor=SYSTEM)
    now = timezone.now()
    claims = [claim_erasure(now=now) for _ in range(3)]
    assert [claim and claim.user_id for claim in claims] == ["0", "other", None]
    for claimed in claims[:2]:
        assert claimed is not None
        finish_erasure(erasure=claimed, actor=SYSTEM, now=now)
    request_erasure(workspace=team.other_workspace, user_id="late", actor=SYSTEM)
    claims = [claim_erasure(now=now) for _ in range(3)]
    assert [claim and claim.user_id for claim in claims] == ["1", "late", None]


def test_interrupted_erasure_leaves_no_leads_behind(live_team: Team) -> None:
    team = live_team
    make_webhook_endpoint(team.workspace)
    chatbot = make_chatbot(team.workspace, lead_capture="detect")
    conversation = make_scanned_conversation(chatbot, "I am Ana Lima, ana@example.com")
    Message.objects.filter(conversation=conversation).update(metadata={"userId": "u-1"})
    request_user_erasure(team, "u-1")
    now = timezone.now()
    with reject_deletes("webhooks_event", team.workspace):
        assert erase_end_users(now=now) == 0
    assert erase_end_users(now=now + timedelta(minutes=11)) == 1
    assert Lead.objects.filter(workspace=team.workspace).count() == 0
    assert tables_containing("ana@example.com", team.workspace) == []


def test_long_erasure_is_continued_at_its_next_turn(team: Team, chatbot: Chatbot) -> None:
    for _ in range(3):
        make_turn(chatbot, "u-1")
    erasure = request_user_erasure(team, "u-1")
    now = timezone.now()
    assert erase_end_users(now=now, max_seconds=0, batch_size=2) == 0
    assert len(conversation_ids(team.workspace)) == 1
    assert erase_end_users(now=now, max_seconds=0, batch_size=2) == 1
    erasure.refresh_from_db()
    assert (erasure.conversations, conversation_ids(team.workspace)) == (3, set())
