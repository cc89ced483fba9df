"""Deleting a conversation: it is hidden, then erased, and the ledger stays."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot, LeadCapture
from apps.conversations.annotations import edit_conversation, rate_answer
from apps.conversations.citations import AnswerSource
from apps.conversations.erasure import delete_conversation, erase_deleted_conversations
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.models import Conversation, Message, RatingValue, Turn
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from apps.leads.models import CapturedField, Lead
from apps.webhooks.models import Delivery, Event
from apps.webhooks.services import resend
from tests.conversations.citation_factory import make_citation
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.leads.lead_factory import make_scanned_conversation
from tests.privacy.test_workspace_deletion import tables_containing
from tests.turns.turn_factory import complete_turn, make_running_turn, new_turn, open_turn_blocking

SECRET = "Zanzibar"


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    grant_credits(team.workspace, 10)
    model = make_language_model(credits_per_reply=1)
    return make_chatbot(team.workspace, model, lead_capture=LeadCapture.DETECT)


def make_turn_with_secret(chatbot: Chatbot) -> Turn:
    """A completed turn with the secret in every text of its conversation."""
    sources = [AnswerSource(1, "source", SECRET, SECRET, None, SECRET)]
    fields = {"text": SECRET, "metadata": {"source": SECRET}, "idempotency_key": SECRET}
    turn = make_running_turn(chatbot, credits=1, **fields)
    complete_turn(turn, SECRET, knowledge="found", sources=sources)
    make_citation(turn, title=SECRET, text=SECRET)
    ids = {"workspace_id": turn.workspace_id, "conversation_id": turn.conversation_id}
    edit_conversation(**ids, title=SECRET, note=SECRET, actor=SYSTEM)
    rate_answer(
        **ids,
        message_id=turn.message_id,
        value=RatingValue.UP,
        comment=SECRET,
        actor=SYSTEM,
    )
    return turn


def delete(turn: Turn) -> None:
    delete_conversation(
        workspace_id=turn.workspace_id, conversation_id=turn.conversation_id, actor=SYSTEM
    )


def test_deletion_removes_text_and_keeps_ledger(team: Team, chatbot: Chatbot) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    turn, other = make_turn_with_secret(chatbot), make_running_turn(chatbot, text="Other")
    complete_turn(other, "Answer")
    delivery = Delivery.objects.get(endpoint=endpoint, event__data__messageId=turn.message_id)
    Delivery.objects.filter(id=delivery.id).update(response_body=SECRET)
    before = Turn.objects.filter(id=turn.id).values().get()
    entries = list(LedgerEntry.objects.filter(workspace=team.workspace).values())
    assert tables_containing(SECRET, team.workspace) == [
        "Citation",
        "Conversation",
        "Delivery",
        "Event",
        "Message",
        "Passage",
        "Rating",
        "Turn",
    ]
    delete(turn)
    assert tables_containing(SECRET, team.workspace) == []
    assert list(LedgerEntry.objects.filter(workspace=team.workspace).values()) == entries
    assert balance_for(team.workspace.id).balance == ledger_sum(team.workspace.id) == 9
    after = Turn.objects.filter(id=turn.id).values().get()
    assert after == {**before, "idempotency_key": None, "delta_lengths": []}
    assert list(Message.objects.values_list("text", flat=True)) == ["Other", "Answer"]
    (entry,) = AuditEntry.objects.filter(action="conversation.deleted")
    assert (entry.target_id, entry.target_label, entry.details) == (turn.conversation_id, "", {})


def test_pending_event_is_delivered_without_text(team: Team, chatbot: Chatbot) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    turn, other = make_turn_with_secret(chatbot), make_running_turn(chatbot)
    complete_turn(other, "Kept")
    delete(turn)
    events = Event.objects.filter(workspace=team.workspace, type="message.completed").order_by("id")
    assert [event.data["response"] for event in events] == ["", "Kept"]
    resent = resend(delivery=Delivery.objects.get(endpoint=endpoint, event=events[0]))
    assert resent.event.data["messageId"] == turn.message_id


def test_lead_is_kept_without_citations(team: Team, chatbot: Chatbot) -> None:
    conversation = make_scanned_conversation(chatbot, "I am at ana@example.com")
    turn = conversation.turns.get()
    assert CapturedField.objects.filter(message__turn=turn).count() == 1
    delete(turn)
    lead = Lead.objects.get(workspace=team.workspace)
    assert (lead.email, lead.conversation_id, lead.captured.count()) == (
        "ana@example.com",
        None,
        0,
    )


def test_running_turn_prevents_deletion(chatbot: Chatbot) -> None:
    turn = make_turn_with_secret(chatbot)
    running = make_running_turn(chatbot, conversation_id=turn.conversation_id)
    with pytest.raises(ConversationBusy):
        delete(turn)
    unchanged = Conversation.objects.get(id=turn.conversation_id)
    assert (unchanged.deleted_at, unchanged.title, unchanged.messages.count()) == (None, SECRET, 3)
    complete_turn(running)
    delete(turn)
    with pytest.raises(ConversationNotFound):
        delete(turn)


def test_foreign_conversation_is_not_found(team: Team, chatbot: Chatbot) -> None:
    turn = make_turn_with_secret(chatbot)
    with pytest.raises(ConversationNotFound):
        delete_conversation(
            workspace_id=team.other_workspace.id, conversation_id=turn.conversation_id, actor=SYSTEM
        )
    assert tables_containing(SECRET, team.workspace) == [
        "Citation",
        "Conversation",
        "Message",
        "Passage",
        "Rating",
        "Turn",
    ]


def test_no_turn_opens_in_deleted_conversation(chatbot: Chatbot) -> None:
    turn = make_turn_with_secret(chatbot)
    conversation = turn.conversation
    delete(turn)
    with pytest.raises(ConversationNotFound):
        open_turn_blocking(new_turn(chatbot, conversation_id=conversation.id))
    assert Turn.objects.filter(conversation=conversation).count() == 1


def test_interrupted_deletion_is_finished(team: Team, chatbot: Chatbot) -> None:
    turn = make_turn_with_secret(chatbot)
    delete(turn)
    assert erase_deleted_conversations() == 0
    interrupted = make_turn_with_secret(chatbot)
    Conversation.objects.filter(id=interrupted.conversation_id).update(
        deleted_at=timezone.now(), title="", note="", source="api"
    )
    remaining = ["Citation", "Message", "Passage", "Rating", "Turn"]
    assert tables_containing(SECRET, team.workspace) == remaining
    assert (erase_deleted_conversations(), erase_deleted_conversations()) == (1, 0)
    assert tables_containing(SECRET, team.workspace) == []
