"""The turn in the database: open it, keep it alive, settle it. Each is one short transaction.

    open_turn       turn running, user message, credits held
    save_progress   heartbeat and the text so far, of many turns at once
    settle_turn     final state, assistant message, hold charged or released
    sweep_turns     the same for turns whose process died

Which way a turn ends is decided by one conditional UPDATE of its status, so it settles once,
whoever tries. The chat engine opens and settles turns by `group_commit`, which does the same in
one statement for many turns; what is said here in the ORM's words decides what is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.conversations.announcements import conversation_started, tell, turn_settled
from apps.conversations.errors import ConversationBusy, ConversationNotFound, TurnNotRunning
from apps.conversations.models import (
    API,
    SOURCE_LENGTH,
    Conversation,
    Message,
    Role,
    Turn,
    TurnStatus,
)
from apps.conversations.queries import conversations_of
from apps.core.errors import IdempotencyMismatch
from apps.credits.errors import InsufficientCredits
from apps.credits.queries import balance_of
from apps.credits.services import charge, hold, lock_account, release


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What it takes to open a turn. `credits` is the most that it can cost. Without a conversation
    it begins one."""

    workspace_id: str
    chatbot: Chatbot
    conversation_id: str | None
    text: str
    credits: int
    request_id: str
    request_digest: str
    idempotency_key: str | None = None
    metadata: Mapping[str, Any] | None = None
    api_key_id: str | None = None
    process: str = ""
    queue_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a turn ends. Only a completed or stopped one is charged, from its usage."""

    status: TurnStatus
    text: str = ""
    delta_lengths: Sequence[int] = ()
    finish_reason: str = ""
    error_code: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_token_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What settling a turn did to the workspace's credits."""

    charged: int
    balance: int


@dataclass(slots=True)
class _KeyTaken(Exception):
    """Another request opened a turn under this idempotency key a moment ago."""

    turn: Turn | None = field(default=None)


def open_turn(new: NewTurn) -> tuple[Turn, bool]:
    """Open a turn, or find the one that this idempotency key opened before.

    Returns the turn and whether it is new. Raises InsufficientCredits, ConversationBusy,
    ConversationNotFound or IdempotencyMismatch, having changed nothing.

    Requests that carry one key at the same moment may be refused for a reason that the first of
    them made (its hold, its running turn), so every refusal looks for that first one again.
    """
    earlier = _turn_under_key(new)
    if earlier is not None:
        return earlier, False
    try:
        return _insert(new), True
    except (InsufficientCredits, ConversationBusy, _KeyTaken):
        earlier = _turn_under_key(new)
        if earlier is None:
            raise
        return earlier, False


def _turn_under_key(new: NewTurn) -> Turn | None:
    if new.idempotency_key is None:
        return None
    keyed = Turn.objects.filter(workspace_id=new.workspace_id, idempotency_key=new.idempotency_key)
    turn = keyed.first()
    if turn is None:
        return None
    if turn.created_at < timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS):
        keyed.filter(id=turn.id).update(idempotency_key=None)
        return None
    if turn.request_digest != new.request_digest:
        raise IdempotencyMismatch
    return turn


def _insert(new: NewTurn) -> Turn:
    try:
        with transaction.atomic():
            # The account first, as when a turn settles: a fixed order of locks knows no deadlock.
            lock_account(workspace_id=new.workspace_id)
            conversation_id = _conversation(new)
            turn = running_turn(new, conversation_id=conversation_id)
            turn.save(force_insert=True)
            Message.objects.create(
                workspace_id=new.workspace_id,
                conversation_id=conversation_id,
                turn=turn,
                role=Role.USER,
                text=new.text,
                metadata=new.metadata,
            )
            if new.conversation_id is None:
                tell(turn, conversation_started(turn))
            hold(workspace_id=new.workspace_id, credits=new.credits)
            return turn
    except IntegrityError as error:
        match _constraint(error):
            case "conversations_one_running_turn":
                raise ConversationBusy from error
            case "conversations_one_turn_a_key":
                raise _KeyTaken from error
        raise


def _conversation(new: NewTurn) -> str:
    if new.conversation_id is None:
        conversation = Conversation.objects.create(
            workspace_id=new.workspace_id, chatbot=new.chatbot, source=source_in(new.metadata)
        )
        return str(conversation.id)
    there = conversations_of(new.workspace_id).filter(id=new.conversation_id)
    if not there.update(last_message_at=Now()):
        raise ConversationNotFound
    return new.conversation_id


def source_in(metadata: Mapping[str, Any] | None) -> str:
    """Where a conversation came from, as the metadata of its first message says; or `api`."""
    given = (metadata or {}).get("source")
    source = given.strip()[:SOURCE_LENGTH].rstrip() if isinstance(given, str) else ""
    return source if source and source.isprintable() else API


def running_turn(new: NewTurn, *, conversation_id: str) -> Turn:
    """The turn as it opens, not saved yet."""
    model = new.chatbot.language_model
    return Turn(
        workspace_id=new.workspace_id,
        chatbot_id=new.chatbot.id,
        conversation_id=conversation_id,
        api_key_id=new.api_key_id,
        model_name=model.name,
        credits_per_reply=model.credits_per_reply,
        credits_per_1k_input=model.credits_per_1k_input,
        credits_per_1k_output=model.credits_per_1k_output,
        credits_held=new.credits,
        idempotency_key=new.idempotency_key,
        request_digest=new.request_digest,
        request_id=new.request_id,
        process=new.process,
        queue_ms=new.queue_ms,
    )


def _constraint(error: IntegrityError) -> str | None:
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


@transaction.atomic
def settle_turn(*, turn: Turn, settlement: Settlement) -> Receipt:
    """End a running turn: its answer saved, its hold charged or released.

    Raises TurnNotRunning if it has ended already.
    """
    price = price_of(turn, settlement)
    lock_account(workspace_id=turn.workspace_id)
    ended = Turn.objects.filter(
        workspace_id=turn.workspace_id, id=turn.id, status=TurnStatus.RUNNING
    ).update(
        status=settlement.status,
        credits_charged=price,
        input_tokens=settlement.input_tokens,
        output_tokens=settlement.output_tokens,
        finish_reason=settlement.finish_reason,
        error_code=settlement.error_code,
        first_token_at=settlement.first_token_at,
        text_so_far="",
        delta_lengths=list(settlement.delta_lengths),
        settled_at=Now(),
    )
    if not ended:
        raise TurnNotRunning
    if settlement.text:
        Message.objects.create(
            id=turn.message_id,
            workspace_id=turn.workspace_id,
            conversation_id=turn.conversation_id,
            turn=turn,
            role=Role.ASSISTANT,
            text=settlement.text,
        )
    tell(turn, turn_settled(turn, settlement, charged=price))
    if price:
        entry = charge(
            workspace_id=turn.workspace_id, held=turn.credits_held, credits=price, turn_id=turn.id
        )
        return Receipt(price, entry.balance_after if entry else 0)
    release(workspace_id=turn.workspace_id, credits=turn.credits_held)
    return Receipt(0, balance_of(turn.workspace_id).balance)


def price_of(turn: Turn, settlement: Settlement) -> int:
    """Credits for a whole answer, or for what was delivered of a stopped one; failure is free."""
    if settlement.status not in (TurnStatus.COMPLETED, TurnStatus.STOPPED) or not settlement.text:
        return 0
    price = turn.price.of(
        input_tokens=settlement.input_tokens or 0, output_tokens=settlement.output_tokens or 0
    )
    return min(price, turn.credits_held)


_PROGRESS = """
UPDATE conversations_turn AS turn
SET heartbeat_at = statement_timestamp(),
    text_so_far = progress.text,
    delta_lengths = translate(progress.lengths, '[]', '{}')::integer[]
FROM unnest(%s::text[], %s::text[], %s::text[]) AS progress (id, text, lengths)
WHERE turn.id = progress.id AND turn.id IN (
  -- A turn that another has locked is being settled: passed over, so that nobody waits in a circle.
  SELECT id FROM conversations_turn WHERE id = ANY(%s) AND status = 'running'
  FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING turn.id
"""


def save_progress(deltas: Mapping[str, Sequence[str]]) -> set[str]:
    """Heartbeat of this process's turns (id → deltas so far). Returns those that still run."""
    if not deltas:
        return set()
    texts = ["".join(pieces) for pieces in deltas.values()]
    lengths = [
        "{" + ",".join(str(len(piece)) for piece in pieces) + "}" for pieces in deltas.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, [list(deltas), texts, lengths, list(deltas)])
        return {row[0] for row in cursor.fetchall()}


def sweep_turns() -> list[str]:
    """Mark turns whose process died as abandoned: text kept, hold released. Returns their ids.

    Safe to run twice at once: a turn that another sweep has locked is passed over.
    """
    return [turn_id for workspace_id, turn_id in _silent_turns() if _abandon(workspace_id, turn_id)]


def _silent_turns() -> Iterable[tuple[str, str]]:
    return list(_silent().values_list("workspace_id", "id")[:1000])


def _silent() -> Any:
    longest = timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    return Turn.objects.filter(status=TurnStatus.RUNNING, heartbeat_at__lt=Now() - longest)


@transaction.atomic
def _abandon(workspace_id: str, turn_id: str) -> bool:
    lock_account(workspace_id=workspace_id)
    turn = _silent().filter(id=turn_id).select_for_update(skip_locked=True).first()
    if turn is None:
        return False
    settlement = Settlement(
        status=TurnStatus.ABANDONED,
        text=turn.text_so_far,
        delta_lengths=turn.delta_lengths,
        finish_reason="abandoned" if turn.text_so_far else "",
        error_code="TURN_ABANDONED",
    )
    settle_turn(turn=turn, settlement=settlement)
    return True
