"""Settle turns: one SQL statement ends all turns that wait at the same moment."""

from collections.abc import Sequence

from django.db import connection, transaction

from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Turn
from apps.core.ids import new_id
from apps.infrastructure.concurrency.batching import Batcher
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.pool import lock_and_write
from apps.turns import sql
from apps.turns.events import enqueue_deliveries_if_any, turn_settled
from apps.turns.sql import MAX_CONCURRENT_STATEMENTS, Row, encode_rows, lock_accounts
from apps.turns.types import Receipt, Settlement, price_of
from apps.webhooks.services import enqueue_deliveries

_NOT_RUNNING = "not running"
_Result = Receipt | str


async def settle_turn(*, turn: Turn, settlement: Settlement) -> Receipt:
    """End a running turn: save its answer, charge or release its hold.

    Raises TurnNotRunning if it has ended already.
    """
    result = await _batches.get().execute(_row(turn, settlement))
    if isinstance(result, str):
        raise TurnNotRunning
    return result


def settle_turn_blocking(*, turn: Turn, settlement: Settlement) -> Receipt:
    """The same on Django's connection, in the current transaction, which has locked the account.

    For the sweep.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.SETTLE, [encode_rows([_row(turn, settlement)])])
        results = cursor.fetchall()
    if not results:
        raise TurnNotRunning
    _, charged, balance, is_delivered = results[0]
    if is_delivered:
        transaction.on_commit(enqueue_deliveries)
    return Receipt(charged, balance)


def _row(turn: Turn, settlement: Settlement) -> Row:
    first_token_at = settlement.first_token_at
    price = price_of(turn, settlement)
    return {
        "workspace_id": turn.workspace_id,
        "conversation_id": turn.conversation_id,
        "id": turn.id,
        "message_id": turn.message_id,
        "entry_id": new_id(),
        "status": settlement.status,
        "price": price,
        "text": settlement.text,
        "delta_lengths": list(settlement.delta_lengths),
        "finish_reason": settlement.finish_reason,
        "error_code": settlement.error_code,
        "input_tokens": settlement.input_tokens,
        "output_tokens": settlement.output_tokens,
        "first_token_at": first_token_at.isoformat() if first_token_at else None,
        "knowledge": settlement.knowledge,
        **turn_settled(turn, settlement, charged=price),
    }


async def _execute_all(rows: Sequence[Row]) -> list[_Result | None]:
    results = await lock_and_write(lock_accounts(rows), (sql.SETTLE, encode_rows(rows)))
    enqueue_deliveries_if_any(results)
    receipts = {n: Receipt(charged, balance) for n, charged, balance, _ in results}
    return [receipts.get(n, _NOT_RUNNING) for n in range(len(rows))]


_batches: PerLoop[Batcher[Row, _Result]] = PerLoop(
    lambda: Batcher(_execute_all, concurrency=MAX_CONCURRENT_STATEMENTS)
)
