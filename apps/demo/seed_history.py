"""Seed thirty days of conversations, failures, leads and ledger entries.

Rows are inserted with past timestamps in one transaction, with a consistent ledger. The same seed
gives the same history, ending now.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models import Citation, Conversation, Message, Role, Turn, TurnStatus
from apps.core.ids import new_id, request_id_at
from apps.credits.backfill import BackfillEntry, backfill_entries
from apps.credits.models import EntryKind
from apps.demo.seed_knowledge import ShopKnowledge
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
    """The rows to insert, by table."""

    conversations: list[Conversation]
    turns: list[Turn]
    messages: list[Message]
    citations: list[Citation]
    entries: list[BackfillEntry]


@transaction.atomic
def seed_history(
    *,
    workspace: Workspace,
    chatbots: Sequence[Chatbot],
    keys: Sequence[ApiKey],
    knowledge: ShopKnowledge,
    seed: int = 7,
) -> list[Lead]:
    """Fill an empty workspace with turns opened with these API keys. Return its leads."""
    rng = random.Random(seed)  # noqa: S311 — sample data, not a secret
    now = timezone.now() - timedelta(minutes=1)
    start = now - timedelta(days=DAYS)
    grant = BackfillEntry(start, EntryKind.GRANT, CREDITS, "Monthly credits")
    rows = _Rows([], [], [], [], [grant])
    for started_at in _start_times(rng, start, now):
        _add_conversation(rows, workspace, rng.choice(chatbots), started_at, now, rng, knowledge)
    for turn in rows.turns:
        turn.api_key = rng.choices(keys, weights=range(len(keys), 0, -1))[0]
    Conversation.objects.bulk_create(rows.conversations)
    Turn.objects.bulk_create(rows.turns, batch_size=500)
    Message.objects.bulk_create(rows.messages, batch_size=500)
    Citation.objects.bulk_create(rows.citations, batch_size=500)
    backfill_entries(workspace_id=workspace.id, entries=rows.entries)
    return list(_create_leads(workspace, _with_plain_first_turn(rows), rng))


def _with_plain_first_turn(rows: _Rows) -> list[Conversation]:
    """The conversations whose first turn is completed and has no sources."""
    first_turns = {turn.conversation_id: turn for turn in reversed(rows.turns)}
    return [
        conversation
        for conversation in rows.conversations
        if first_turns[conversation.id].status == TurnStatus.COMPLETED
        and not first_turns[conversation.id].knowledge
    ]


def _create_leads(
    workspace: Workspace, conversations: Sequence[Conversation], rng: random.Random
) -> Iterator[Lead]:
    """Create a lead for each of PEOPLE, from a conversation, with a status."""
    sample = rng.sample(conversations, len(PEOPLE))
    sample.sort(key=lambda conversation: conversation.created_at)
    for number, (conversation, (name, email)) in enumerate(zip(sample, PEOPLE, strict=True)):
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
        _add_citations(lead, conversation)
        yield lead


def _add_citations(lead: Lead, conversation: Conversation) -> None:
    """Put the lead's details into the first message, with a fitting answer, and cite it."""
    messages = Message.objects.filter(workspace_id=lead.workspace_id, conversation=conversation)
    first, answer = messages.order_by("created_at", "id")[:2]
    question, reply = INTRODUCTION
    messages.filter(id=first.id).update(text=question.format(lead.name, lead.email))
    messages.filter(id=answer.id, role=Role.ASSISTANT).update(text=reply)
    for field, value in (("name", lead.name), ("email", lead.email or "")):
        CapturedField.objects.create(
            workspace_id=lead.workspace_id,
            lead=lead,
            message=first,
            field=field,
            value=value,
            created_at=first.created_at,
        )


def _start_times(rng: random.Random, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield start times: more by day, fewer at weekends, more every week."""
    count = 0
    while count < CONVERSATIONS:
        time = start + (end - start) * rng.random()
        daylight = 0.55 - 0.45 * math.cos(2 * math.pi * (time.hour - 3) / 24)
        weekend = 0.5 if time.weekday() >= 5 else 1.0
        growth = 0.6 + 0.4 * (time - start) / (end - start)
        if rng.random() < daylight * weekend * growth:
            count += 1
            yield time


def _add_conversation(
    rows: _Rows,
    workspace: Workspace,
    chatbot: Chatbot,
    started_at: datetime,
    now: datetime,
    rng: random.Random,
    knowledge: ShopKnowledge,
) -> None:
    source = SOURCES[len(rows.conversations) % len(SOURCES)]
    conversation = Conversation(
        workspace=workspace,
        chatbot=chatbot,
        source=source,
        created_at=started_at,
        last_message_at=started_at,
    )
    metadata = {"userId": f"visitor-{rng.randrange(220)}", "source": source}
    time = started_at
    for _ in range(min(1 + int(rng.expovariate(0.8)), 6)):
        if time > now:
            break
        question, answer = rng.choice(TALK)
        turn = _turn(conversation, time, answer, rng)
        citations = knowledge.retrieve(turn, question, rng)
        rows.turns.append(turn)
        rows.citations += citations
        rows.messages.append(_message(turn, Role.USER, question, time, metadata))
        conversation.last_message_at = time
        if turn.status in (TurnStatus.COMPLETED, TurnStatus.STOPPED):
            assert turn.settled_at is not None  # noqa: S101
            whole = f"{answer} [1]" if citations else answer
            text = whole if turn.status == TurnStatus.COMPLETED else answer[: len(answer) // 2]
            rows.messages.append(_message(turn, Role.ASSISTANT, text, turn.settled_at, None))
            charge = BackfillEntry(turn.settled_at, EntryKind.CHARGE, -1, turn_id=turn.id)
            rows.entries.append(charge)
        time += timedelta(seconds=rng.uniform(20, 240))
    rows.conversations.append(conversation)


def _turn(conversation: Conversation, at: datetime, answer: str, rng: random.Random) -> Turn:
    first_token = timedelta(milliseconds=rng.lognormvariate(5.9, 0.45))
    duration = first_token + timedelta(milliseconds=len(answer) * rng.uniform(6, 14))
    outcome = rng.random()
    status, finish, code = TurnStatus.COMPLETED, "stop", ""
    if outcome < 0.018:
        status, finish, code = TurnStatus.FAILED, "", rng.choice(FAILURES)
    elif outcome < 0.03:
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
        input_tokens=60 + rng.randrange(400) if answered else None,
        output_tokens=len(answer) // 4 if answered else None,
        finish_reason=finish,
        error_code=code,
        request_digest="",
        request_id=request_id_at(int(at.timestamp() * 1000), rng.getrandbits(48)),
        queue_ms=rng.randrange(2, 9),
        created_at=at,
        heartbeat_at=at,
        first_token_at=at + first_token if answered else None,
        settled_at=at + duration,
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
