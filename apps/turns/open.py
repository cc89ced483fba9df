"""Open turns: one SQL statement writes all turns that wait at the same moment."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from psycopg.errors import ForeignKeyViolation

from apps.api_keys.errors import InvalidApiKey
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.models import API_SOURCE, SOURCE_LENGTH, Turn
from apps.core.errors import ApiError, IdempotencyMismatch, TooManyRequests
from apps.core.ids import new_id
from apps.core.text import is_visible
from apps.credits.errors import InsufficientCredits
from apps.credits.services import open_account
from apps.infrastructure.concurrency.batching import Batcher
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.pool import lock_and_write
from apps.infrastructure.postgres.threads import in_thread
from apps.turns import sql
from apps.turns.events import conversation_started, enqueue_deliveries_if_any
from apps.turns.sql import MAX_CONCURRENT_STATEMENTS, Row, encode_rows, lock_accounts
from apps.turns.types import NewTurn

_TURN_COLUMNS = (
    "id",
    "workspace_id",
    "chatbot_id",
    "conversation_id",
    "api_key_id",
    "message_id",
    "model_name",
    "credits_per_reply",
    "credits_per_1k_input",
    "credits_per_1k_output",
    "credits_held",
    "idempotency_key",
    "request_digest",
    "request_id",
    "process",
    "queue_ms",
)

_ERROR_BY_FOREIGN_KEY: dict[str, type[ApiError]] = {
    "conversations_turn_chatbot_same_workspace": ChatbotNotFound,
    "conversations_turn_conversation_same_workspace": ConversationNotFound,
    "conversations_turn_api_key_same_workspace": InvalidApiKey,
}
"""What was deleted since the request was authenticated, by the foreign key that misses it."""

_FULL = "This workspace runs {:,} turns at once, its limit. Try again when one has ended."


async def open_turn(new: NewTurn) -> tuple[Turn, bool]:
    """Open a turn, or find the one that this idempotency key opened before.

    Returns the turn and whether it is new. Raises InsufficientCredits, ConversationBusy,
    ConversationNotFound, IdempotencyMismatch, TooManyRequests if the workspace runs as many turns
    as it may, or the error of what was deleted since the request was authenticated; nothing is
    changed then.
    """
    return await write_turn(build_turn(new), new)


async def write_turn(turn: Turn, new: NewTurn) -> tuple[Turn, bool]:
    """The same for a turn that `build_turn` made of it."""
    row = build_row(turn, new)
    while (outcome := await _execute(row)) != sql.OPENED:
        if outcome in (sql.NO_ACCOUNT, sql.KEY_USED):  # they ask PostgreSQL
            earlier = await in_thread(resolve_refusal, outcome, new)
        else:
            earlier = resolve_refusal(outcome, new)
        if earlier is not None:
            return earlier, False
    return turn, True


def resolve_refusal(outcome: str, new: NewTurn) -> Turn | None:
    """The earlier turn of the idempotency key; None if opening is to be tried again.

    `outcome`: what `sql.OPEN` returned instead of `opened`. Raises the error that it means.
    """
    match outcome:
        case sql.NO_ACCOUNT:
            open_account(workspace_id=new.workspace_id)
        case sql.KEY_USED:
            return _find_turn_by_key(new)
        case sql.DELETED:
            raise ConversationNotFound
        case sql.BUSY:
            raise ConversationBusy
        case _ if outcome.startswith(sql.FULL):
            raise TooManyRequests(1, _FULL.format(int(outcome.removeprefix(sql.FULL))))
        case _ if outcome.startswith(sql.SHORT):
            available = int(outcome.removeprefix(sql.SHORT))
            raise InsufficientCredits(needed=new.credits, available=available)
    return None


def build_turn(new: NewTurn, *, conversation_id: str | None = None) -> Turn:
    """The turn as it opens, not saved. By default in the conversation of `new`, or a new one."""
    model = new.chatbot.language_model
    return Turn(
        workspace_id=new.workspace_id,
        chatbot_id=new.chatbot.id,
        conversation_id=conversation_id or new.conversation_id or new_id(),
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


def conversation_source(metadata: Mapping[str, Any] | None) -> str:
    """The conversation's source: `metadata.source` of its first message, or `api`."""
    given = (metadata or {}).get("source")
    source = given.strip()[:SOURCE_LENGTH].rstrip() if isinstance(given, str) else ""
    return source if source.isprintable() and is_visible(source) else API_SOURCE


def build_row(turn: Turn, new: NewTurn) -> Row:
    """The turn as a row of `sql.OPEN`."""
    begins = new.conversation_id is None
    row = {name: getattr(turn, name) for name in _TURN_COLUMNS} | {
        "begins": begins,
        "source": conversation_source(new.metadata),
        "user_message_id": new_id(),
        "text": new.text,
        "metadata": new.metadata,
        "max_running": settings.MAX_RUNNING_TURNS,
    }
    return row | conversation_started(turn) if begins else row


def _find_turn_by_key(new: NewTurn) -> Turn | None:
    """The turn of this idempotency key; an expired one gives its key up. Raises
    IdempotencyMismatch if another request has the key."""
    turns = Turn.objects.filter(workspace_id=new.workspace_id, idempotency_key=new.idempotency_key)
    turn = turns.annotate(database_now=Now()).first()
    if turn is None:
        return None
    if turn.created_at < turn.database_now - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS):
        turns.filter(id=turn.id).update(idempotency_key=None)
        return None
    if turn.request_digest != new.request_digest:
        raise IdempotencyMismatch
    return turn


async def _execute(row: Row) -> str:
    try:
        return await _batches.get().execute(row)
    except ForeignKeyViolation as violation:
        error = _ERROR_BY_FOREIGN_KEY.get(violation.diag.constraint_name or "")
        if error is None:
            raise
        raise error from violation


async def _execute_all(rows: Sequence[Row]) -> list[str | None]:
    results = await lock_and_write(lock_accounts(rows), (sql.OPEN, encode_rows(rows)))
    enqueue_deliveries_if_any(results)
    return [None if outcome == sql.RETRY else outcome for _, outcome, _ in sorted(results)]


_batches: PerLoop[Batcher[Row, str]] = PerLoop(
    lambda: Batcher(_execute_all, concurrency=MAX_CONCURRENT_STATEMENTS)
)
