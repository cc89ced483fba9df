"""Deleting a workspace: text is removed, and the ledger stays."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.queries import authenticate_key
from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.annotations import edit_conversation, rate_answer
from apps.conversations.models import Message, QuestionReview, RatingValue, Turn
from apps.conversations.models.export import ExportPart
from apps.conversations.search import index_new_messages
from apps.credits.queries import balance_for, ledger_sum
from apps.leads.fields import LeadFields
from apps.leads.services import create_lead
from apps.privacy.workspace_deletion import delete_due_workspaces
from apps.workspaces.models import Workspace
from tests.conversations.citation_factory import make_citation
from tests.conversations.export_factory import make_export
from tests.factories import (
    UNREACHABLE_URL,
    Team,
    grant_credits,
    make_api_key,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.knowledge.knowledge_factory import make_knowledge
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.workspaces.members import get_member

SECRET = "Zanzibar"

AFTER_DELETION = {
    "Account": "kept: ledger and audit records",
    "AdjustmentLine": "kept: ledger and audit records",
    "AccountCheck": "kept: ledger and audit records",
    "Alert": "kept: ledger and audit records",
    "ApiKey": "revoked, its name erased: turns refer to it",
    "AuditEntry": "kept: ledger and audit records",
    "CapturedField": "removed",
    "Chatbot": "switched off, name and prompt erased: turns refer to it",
    "ChatbotKnowledgeBase": "removed",
    "ChatbotVersion": "removed",
    "Chunk": "removed",
    "ChunkOverride": "removed",
    "ChunkVector": "removed",
    "Citation": "removed",
    "Conversation": "kept without title, note and source",
    "CreditRequest": "kept: ledger and audit records",
    "Delivery": "removed",
    "Document": "removed",
    "Endpoint": "removed",
    "Erasure": "removed",
    "Event": "removed",
    "Export": "removed",
    "ExportPart": "removed",
    "Generation": "removed",
    "IdempotentAnswer": "removed",
    "Invitation": "removed",
    "KnowledgeBase": "removed",
    "Letter": "removed",
    "Lead": "removed",
    "EntryApproval": "kept: ledger and audit records",
    "LedgerEntry": "kept: ledger and audit records",
    "Lot": "kept: ledger and audit records",
    "Member": "removed",
    "Message": "text and metadata erased",
    "Passage": "removed",
    "QuestionReview": "removed",
    "Rating": "removed",
    "Reading": "removed",
    "Source": "removed",
    "SourceFile": "removed",
    "Statement": "kept: ledger and audit records",
    "UnchargedEmbedding": "removed",
    "Turn": "kept as a receipt, without text",
    "WelcomeGrant": "kept: ledger and audit records",
}
"""What happens to the rows of each table with a workspace. New tables must be added."""


def has_workspace(model: type[models.Model]) -> bool:
    return any(field.related_model is Workspace for field in model._meta.fields)


def fill_workspace(team: Team) -> tuple[Turn, str]:
    """Fill the workspace with text that contains SECRET. Return a turn and an API key's secret."""
    grant_credits(team.workspace, 10)
    model = make_language_model(credits_per_reply=1)
    texts = {"system_prompt": SECRET, "knowledge_not_found_reply": SECRET}
    chatbot = make_chatbot(team.workspace, model, **texts)
    fields = {"text": SECRET, "metadata": {"who": SECRET}, "idempotency_key": SECRET}
    turn = make_running_turn(chatbot, credits=1, **fields)
    complete_turn(turn, SECRET)
    make_citation(turn, text=SECRET)
    QuestionReview.objects.create(
        workspace=team.workspace, turn=turn, outcome="answered", source_id=SECRET
    )
    make_export(team.workspace)
    edit_conversation(
        workspace_id=team.workspace.id,
        conversation_id=turn.conversation_id,
        title=SECRET,
        note=SECRET,
        actor=SYSTEM,
    )
    rate_answer(
        workspace_id=team.workspace.id,
        conversation_id=turn.conversation_id,
        message_id=turn.message_id,
        value=RatingValue.DOWN,
        comment=SECRET,
        actor=SYSTEM,
    )
    index_new_messages()
    make_webhook_endpoint(team.workspace, url=f"{UNREACHABLE_URL}?token={SECRET}")
    create_lead(
        workspace_id=team.workspace.id,
        chatbot_id=chatbot.id,
        fields=LeadFields(name=SECRET, email="dana@example.com", source=SECRET),
        actor=SYSTEM,
    )
    make_knowledge(chatbot, text=SECRET)
    return turn, make_api_key(team.workspace)


def make_due(team: Team) -> datetime:
    now = timezone.now()
    Workspace.objects.filter(pk=team.workspace.pk).update(deletion_due_at=now)
    return now


def tables_containing(text: str, workspace: Workspace) -> list[str]:
    """The tables with a row of the workspace that contains the text in any column."""
    tables = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            if has_workspace(model):
                table = model._meta.db_table
                cursor.execute(
                    f"SELECT count(*) FROM {table} t WHERE workspace_id = %s AND t::text ILIKE %s",
                    [workspace.id, f"%{text}%"],
                )
                if cursor.fetchone() != (0,):
                    tables.append(model.__name__)
    return sorted(tables)


def test_every_workspace_table_is_listed() -> None:
    ours = {model.__name__ for model in apps.get_models() if has_workspace(model)}
    assert ours == AFTER_DELETION.keys()


def test_deletion_removes_text_and_keeps_ledger(team: Team) -> None:
    turn, secret = fill_workspace(team)
    before = balance_for(team.workspace.id)
    assert tables_containing(SECRET, team.workspace) == [
        "Chatbot",
        "ChatbotVersion",
        "Chunk",
        "ChunkOverride",
        "Citation",
        "Conversation",
        "Document",
        "Endpoint",
        "Event",
        "Lead",
        "Message",
        "Passage",
        "QuestionReview",
        "Rating",
        "Source",
        "SourceFile",
        "Turn",
    ]
    assert delete_due_workspaces(now=make_due(team)) == [team.workspace.id]
    assert tables_containing(SECRET, team.workspace) == []
    assert tables_containing(team.alice.email, team.workspace) == []
    assert ExportPart.objects.filter(workspace=team.workspace).count() == 0  # its lines are bytes
    assert balance_for(team.workspace.id) == before
    assert ledger_sum(team.workspace.id) == before.balance
    turn.refresh_from_db()
    assert (turn.credits_charged, turn.status) == (1, "completed")
    with pytest.raises(InvalidApiKey):
        authenticate_key(secret)


def test_workspace_that_is_not_due_is_unchanged(team: Team) -> None:
    _, secret = fill_workspace(team)
    assert delete_due_workspaces(now=timezone.now()) == []
    assert authenticate_key(secret).workspace_id == team.workspace.id
    assert Chatbot.objects.get(workspace=team.workspace).is_active is True
    assert get_member(team.workspace, team.alice).role == "owner"


def test_other_workspaces_are_unchanged(team: Team) -> None:
    chatbot = make_chatbot(team.other_workspace, system_prompt=SECRET)
    grant_credits(team.other_workspace, 1)
    complete_turn(make_running_turn(chatbot, credits=1, text=SECRET), SECRET)
    delete_due_workspaces(now=make_due(team))
    assert tables_containing(SECRET, team.other_workspace) == [
        "Chatbot",
        "ChatbotVersion",
        "Message",
    ]


def test_deletion_waits_for_running_turn(team: Team) -> None:
    grant_credits(team.workspace, 1)
    turn = make_running_turn(make_chatbot(team.workspace), credits=1, text=SECRET)
    now = make_due(team)
    assert delete_due_workspaces(now=now) == []
    assert Workspace.objects.get(pk=team.workspace.pk).closed_at == now
    complete_turn(turn, SECRET)
    assert delete_due_workspaces(now=now) == [team.workspace.id]
    assert set(Message.objects.filter(turn=turn).values_list("text", flat=True)) == {""}


def test_workspace_is_erased_once(team: Team) -> None:
    now = make_due(team)
    assert (delete_due_workspaces(now=now), delete_due_workspaces(now=now)) == (
        [team.workspace.id],
        [],
    )
