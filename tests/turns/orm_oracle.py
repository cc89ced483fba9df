"""Open and settle single turns with ORM calls.

The reference implementation for the SQL statements of `apps.turns.sql`, which write many turns at
once: tests compare the resulting rows of both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.conversations.errors import ConversationBusy, ConversationNotFound, TurnNotRunning
from apps.conversations.models import (
    Conversation,
    Message,
    Role,
    Turn,
    TurnStatus,
)
from apps.conversations.queries import conversations_for
from apps.core.errors import IdempotencyMismatch
from apps.credits.errors import InsufficientCredits
from apps.credits.models import Account
from apps.credits.queries import balance_for
from apps.credits.services import charge, hold, lock_account, release
from apps.turns.events import conversation_started, turn_settled
from apps.turns.open import build_turn, conversation_source
from apps.turns.sql import Row
from apps.turns.types import NewTurn, Receipt, Settlement, price_of
from apps.webhooks.services import emit


@dataclass(slots=True)
class _KeyTaken(Exception):
    """A concurrent request has opened a turn with this idempotency key."""

    turn: Turn | None = field(default=None)


def open_turn(new: NewTurn) -> tuple[Turn, bool]:
    """Open a turn, or find the one that this idempotency key has opened.

    Returns the turn and whether it is new. Raises InsufficientCredits, ConversationBusy,
    ConversationNotFound or IdempotencyMismatch, without changes.

    Concurrent requests with one key can fail because of the first of them (its hold, its running
    turn), so the turn of the key is looked up again before an error is raised.
    """
    earlier = _turn_with_key(new)
    if earlier is not None:
        return earlier, False
    try:
        return _insert(new), True
    except (InsufficientCredits, ConversationBusy, _KeyTaken):
        earlier = _turn_with_key(new)
        if earlier is None:
            raise
        return earlier, False


def _turn_with_key(new: NewTurn) -> Turn | None:
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
            # The account is locked first, as in settle_turn: a fixed order prevents deadlocks.
            lock_account(workspace_id=new.workspace_id)
            conversation_id = _conversation(new)
            turn = build_turn(new, conversation_id=conversation_id)
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
                _emit(turn, conversation_started(turn))
            hold(workspace_id=new.workspace_id, credits=new.credits)
            _count_running(new.workspace_id, 1)
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
            workspace_id=new.workspace_id,
            chatbot=new.chatbot,
            source=conversation_source(new.metadata),
        )
        return str(conversation.id)
    conversation_rows = conversations_for(new.workspace_id).filter(id=new.conversation_id)
    if not conversation_rows.update(last_message_at=Now()):
        raise ConversationNotFound
    return new.conversation_id


def _constraint(error: IntegrityError) -> str | None:
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


@transaction.atomic
def settle_turn(*, turn: Turn, settlement: Settlement) -> Receipt:
    """Settle a running turn: save its answer, and charge or release its hold.

    Raises TurnNotRunning if it is settled already.
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
    _emit(turn, turn_settled(turn, settlement, charged=price))
    _count_running(turn.workspace_id, -1)
    if price:
        entry = charge(
            workspace_id=turn.workspace_id, held=turn.credits_held, credits=price, turn_id=turn.id
        )
        return Receipt(price, entry.balance_after if entry else 0)
    release(workspace_id=turn.workspace_id, credits=turn.credits_held)
    return Receipt(0, balance_for(turn.workspace_id).balance)


def _count_running(workspace_id: str, turns: int) -> None:
    account = Account.objects.filter(pk=workspace_id)
    account.update(running_turns=F("running_turns") + turns)


def _emit(turn: Turn, event: Row) -> None:
    if event:
        emit(workspace_id=turn.workspace_id, event=event["event_type"], data=event["event_data"])
