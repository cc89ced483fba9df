"""Thirty days in the demo's workspace: conversations, failures, leads, and what they cost.

Written as rows of the past, in one transaction, with the books right to the credit. The same
seed gives the same life, ending now.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Role, Turn, TurnStatus
from apps.core.ids import new_id, request_id_at
from apps.credits.backfill import BackfillEntry, backfill_entries
from apps.credits.models import EntryKind
from apps.demo.shop_texts import INTRODUCTION, PEOPLE, PHONES, TALK
from apps.leads.models import CapturedField, Lead, LeadStatus
from apps.workspaces.models import Workspace

DAYS = 30
CONVERSATIONS = 640
CREDITS = 5_000
FAILURES = ("MODEL_TIMEOUT", "MODEL_UNAVAILABLE", "MODEL_ERROR")
SOURCES = ("website", "website", "mobile_app", "website", "api")


@dataclass(slots=True)
class _Rows:
    """What is written at the end, table by table."""

    conversations: list[Conversation]
    turns: list[Turn]
    messages: list[Message]
    entries: list[BackfillEntry]


@transaction.atomic
def seed_history(
    *, workspace: Workspace, chatbots: Sequence[Chatbot], keys: Sequence[ApiKey] = (), seed: int = 7
) -> list[Lead]:
    """Fill a workspace in which nothing has happened yet, through these keys. Returns its leads."""
    chance = random.Random(seed)  # noqa: S311 — a made-up life, not a secret
    now = timezone.now() - timedelta(minutes=1)
    start = now - timedelta(days=DAYS)
    rows = _Rows([], [], [], [BackfillEntry(start, EntryKind.GRANT, CREDITS, "Monthly credits")])
    for began in _moments(chance, start, now):
        _converse(rows, workspace, chance.choice(chatbots), began, now, chance)
    for turn in rows.turns if keys else ():
        turn.api_key = chance.choices(keys, weights=range(len(keys), 0, -1))[0]
    Conversation.objects.bulk_create(rows.conversations)
    Turn.objects.bulk_create(rows.turns, batch_size=500)
    Message.objects.bulk_create(rows.messages, batch_size=500)
    backfill_entries(workspace_id=workspace.id, entries=rows.entries)
    return list(_leads(workspace, _that_began_well(rows), chance))


def _that_began_well(rows: _Rows) -> list[Conversation]:
    firsts = {turn.conversation_id: turn for turn in reversed(rows.turns)}
    return [each for each in rows.conversations if firsts[each.id].status == TurnStatus.COMPLETED]


def _leads(
    workspace: Workspace, conversations: Sequence[Conversation], chance: random.Random
) -> Iterator[Lead]:
    """People who left their address, each in a conversation, and how far one has come with them."""
    met = sorted(chance.sample(conversations, len(PEOPLE)), key=lambda each: each.created_at)
    for number, (conversation, (name, email)) in enumerate(zip(met, PEOPLE, strict=True)):
        lead = Lead.objects.create(
            workspace=workspace,
            chatbot_id=conversation.chatbot_id,
            conversation=conversation,
            name=name,
            email=email,
            phone=PHONES.get(name, ""),
            source=conversation.source,
            status=LeadStatus.values[-1 - number % len(LeadStatus.values)],
            created_at=conversation.created_at,
            updated_at=conversation.created_at,
        )
        _cite(lead, conversation)
        yield lead


def _cite(lead: Lead, conversation: Conversation) -> None:
    """Let the visitor have said it: in the first message, which is answered to the point."""
    messages = Message.objects.filter(workspace_id=lead.workspace_id, conversation=conversation)
    first, answer = messages.order_by("created_at", "id")[:2]
    said, answered = INTRODUCTION
    messages.filter(id=first.id).update(text=said.format(lead.name, lead.email))
    messages.filter(id=answer.id, role=Role.ASSISTANT).update(text=answered)
    for field, value in (("name", lead.name), ("email", lead.email or "")):
        CapturedField.objects.create(
            workspace_id=lead.workspace_id,
            lead=lead,
            message=first,
            field=field,
            value=value,
            created_at=first.created_at,
        )


def _moments(chance: random.Random, start: datetime, end: datetime) -> Iterator[datetime]:
    """When conversations begin: more by day than by night, fewer at weekends, more every week."""
    made = 0
    while made < CONVERSATIONS:
        moment = start + (end - start) * chance.random()
        daylight = 0.55 - 0.45 * math.cos(2 * math.pi * (moment.hour - 3) / 24)
        weekend = 0.5 if moment.weekday() >= 5 else 1.0
        growth = 0.6 + 0.4 * (moment - start) / (end - start)
        if chance.random() < daylight * weekend * growth:
            made += 1
            yield moment


def _converse(
    rows: _Rows,
    workspace: Workspace,
    chatbot: Chatbot,
    began: datetime,
    now: datetime,
    chance: random.Random,
) -> None:
    source = SOURCES[len(rows.conversations) % len(SOURCES)]
    conversation = Conversation(
        workspace=workspace,
        chatbot=chatbot,
        source=source,
        created_at=began,
        last_message_at=began,
    )
    said_of = {"userId": f"visitor-{chance.randrange(220)}", "source": source}
    moment = began
    for _ in range(min(1 + int(chance.expovariate(0.8)), 6)):
        if moment > now:
            break
        question, answer = chance.choice(TALK)
        turn = _turn(conversation, moment, answer, chance)
        rows.turns.append(turn)
        rows.messages.append(_message(turn, Role.USER, question, moment, said_of))
        conversation.last_message_at = moment
        if turn.status in (TurnStatus.COMPLETED, TurnStatus.STOPPED):
            assert turn.settled_at is not None  # noqa: S101
            said = answer if turn.status == TurnStatus.COMPLETED else answer[: len(answer) // 2]
            rows.messages.append(_message(turn, Role.ASSISTANT, said, turn.settled_at, None))
            charge = BackfillEntry(turn.settled_at, EntryKind.CHARGE, -1, turn_id=turn.id)
            rows.entries.append(charge)
        moment += timedelta(seconds=chance.uniform(20, 240))
    rows.conversations.append(conversation)


def _turn(conversation: Conversation, at: datetime, answer: str, chance: random.Random) -> Turn:
    first = timedelta(milliseconds=chance.lognormvariate(5.9, 0.45))
    whole = first + timedelta(milliseconds=len(answer) * chance.uniform(6, 14))
    fate = chance.random()
    status, finish, code = TurnStatus.COMPLETED, "stop", ""
    if fate < 0.018:
        status, finish, code = TurnStatus.FAILED, "", chance.choice(FAILURES)
    elif fate < 0.03:
        status, finish = TurnStatus.STOPPED, "stopped"
    answered = status != TurnStatus.FAILED
    return Turn(
        workspace_id=conversation.workspace_id,
        chatbot_id=conversation.chatbot_id,
        conversation=conversation,
        status=status,
        model_name=conversation.chatbot.language_model.name,
        credits_per_reply=1,
        credits_per_1k_input=0,
        credits_per_1k_output=0,
        credits_held=1,
        credits_charged=1 if answered else 0,
        input_tokens=60 + chance.randrange(400) if answered else None,
        output_tokens=len(answer) // 4 if answered else None,
        finish_reason=finish,
        error_code=code,
        request_digest="",
        request_id=request_id_at(int(at.timestamp() * 1000), chance.getrandbits(48)),
        queue_ms=chance.randrange(2, 9),
        created_at=at,
        heartbeat_at=at,
        first_token_at=at + first if answered else None,
        settled_at=at + whole,
    )


def _message(
    turn: Turn, role: Role, text: str, at: datetime, metadata: dict[str, str] | None
) -> Message:
    return Message(
        id=turn.message_id if role == Role.ASSISTANT else new_id(),
        workspace_id=turn.workspace_id,
        conversation_id=turn.conversation_id,
        turn=turn,
        role=role,
        text=text,
        metadata=metadata,
        created_at=at,
    )
