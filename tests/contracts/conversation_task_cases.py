"""Work for the periodic tasks of turns, conversations, exports and leads."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.conversations.models import Conversation, Message, Passage
from apps.conversations.models.export import Export
from apps.conversations.queries import conversations_for
from apps.conversations.search import index_new_messages
from apps.core.ids import new_id
from apps.credits.queries import Balance, balance_for
from apps.leads.models import Lead
from apps.workspaces.models import Erasure
from apps.workspaces.services import request_erasure, set_retention
from tests.contracts.task_case import (
    ITEM_COUNT,
    Case,
    count_audit_entries,
    count_events,
)
from tests.conversations.export_factory import make_pending_export, read_file
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_webhook_endpoint,
)
from tests.leads.lead_factory import make_lead
from tests.turns.turn_factory import complete_turn, expire_heartbeat, make_running_turn


def abandoned_turns(team: Team) -> Case:
    grant_credits(team.workspace, 100)
    make_webhook_endpoint(team.workspace, "turn.failed")
    chatbot = make_chatbot(team.workspace)
    for _ in range(ITEM_COUNT):
        expire_heartbeat(make_running_turn(chatbot, credits=5))
    return lambda: (balance_for(team.workspace.id), count_events(team.workspace, "turn.failed")), (
        Balance(100, 0),
        ITEM_COUNT,
    )


def messages_with_contacts(team: Team) -> Case:
    make_webhook_endpoint(team.workspace, "lead.created", "lead.updated")
    chatbot = make_chatbot(team.workspace, lead_capture="detect")
    for number in range(ITEM_COUNT):
        make_running_turn(chatbot, text=f"I am at dana{number}@example.com")
    leads = Lead.objects.filter(workspace=team.workspace)
    return lambda: (leads.count(), count_events(team.workspace, "lead.created")), (
        ITEM_COUNT,
        ITEM_COUNT,
    )


def requested_exports(team: Team) -> Case:
    chatbot = make_chatbot(team.workspace)
    texts = [f"Hello {number}" for number in range(ITEM_COUNT)]
    for text in texts:
        complete_turn(make_running_turn(chatbot, text=text))
    exports = [make_pending_export(team.workspace) for _ in range(3)]

    def result() -> list[list[int]]:
        files = [read_file(export) for export in exports]
        return [[file.count(f'"{text}"') for text in texts] for file in files]

    return result, [[1] * ITEM_COUNT] * 3


def old_exports(team: Team) -> Case:
    for _ in range(3):
        make_pending_export(team.workspace)
    exports = Export.objects.filter(workspace=team.workspace)
    exports.update(created_at=timezone.now() - timedelta(days=settings.EXPORT_KEPT_DAYS + 1))
    return exports.count, 0


def unindexed_messages(team: Team) -> Case:
    while index_new_messages():  # other tests have left more messages than one run indexes
        pass
    chatbot = make_chatbot(team.workspace)
    for _ in range(ITEM_COUNT):
        complete_turn(make_running_turn(chatbot))
    passages = Passage.objects.filter(workspace=team.workspace)
    return passages.count, 2 * ITEM_COUNT


def hidden_conversations(team: Team) -> Case:
    """As if a process had died after hiding them and before erasing their messages."""
    chatbot = make_chatbot(team.workspace)
    for _ in range(ITEM_COUNT):
        complete_turn(make_running_turn(chatbot))
    hidden = Conversation.objects.filter(workspace=team.workspace)
    hidden.update(deleted_at=timezone.now())
    messages = Message.objects.filter(workspace=team.workspace)
    return lambda: (messages.count(), hidden.exclude(erased_at=None).count()), (0, ITEM_COUNT)


def old_conversations(team: Team) -> Case:
    chatbot = make_chatbot(team.workspace)
    for _ in range(ITEM_COUNT):
        complete_turn(make_running_turn(chatbot))
        make_lead(chatbot, email=f"{new_id()}@example.com")
    old = timezone.now() - timedelta(days=10)
    Conversation.objects.filter(workspace=team.workspace).update(last_message_at=old)
    Lead.objects.filter(workspace=team.workspace).update(created_at=old, updated_at=old)
    set_retention(workspace=team.workspace, conversations_days=5, leads_days=5, actor=SYSTEM)

    def result() -> tuple[int, int, int]:
        deletions = AuditEntry.objects.filter(workspace=team.workspace, action="lead.forgotten")
        return (
            conversations_for(team.workspace.id).count(),
            count_audit_entries(team.workspace, "conversation.deleted"),
            sum(entry.details["leads"] for entry in deletions),
        )

    return result, (0, ITEM_COUNT, ITEM_COUNT)


def end_users_to_erase(team: Team) -> Case:
    chatbot = make_chatbot(team.workspace)
    for number in range(ITEM_COUNT):
        complete_turn(make_running_turn(chatbot, metadata={"userId": f"u-{number}"}))
        request_erasure(workspace=team.workspace, user_id=f"u-{number}", actor=SYSTEM)

    def result() -> tuple[int, int, int]:
        done = Erasure.objects.filter(workspace=team.workspace).exclude(done_at=None)
        return (
            sum(done.values_list("conversations", flat=True)),
            count_audit_entries(team.workspace, "end_user.erased"),
            count_audit_entries(team.workspace, "conversation.deleted"),
        )

    return result, (ITEM_COUNT, ITEM_COUNT, ITEM_COUNT)
