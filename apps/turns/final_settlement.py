"""Settle a turn for good: through an outage, a lost answer, or a value that PostgreSQL refuses."""

import asyncio
import random
from dataclasses import replace

from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Turn, TurnStatus
from apps.core.text import replace_unstorable
from apps.credits.queries import balance_after_turn
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.turns.database import TurnDatabase
from apps.turns.types import Receipt, Settlement

log = get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 2.0

_MAX_INTEGER = 2**31 - 1
_LIMIT_EXCEEDED = "54"
"""SQLSTATE class of statements that are too large, which psycopg takes for an outage."""


async def settle_for_good(
    database: TurnDatabase, *, turn: Turn, settlement: Settlement
) -> tuple[Settlement, Receipt]:
    """Settle a turn that only the caller settles, except for the sweep.

    Returns what is stored, and the receipt. While PostgreSQL is unavailable, tries again as long
    as it takes. If it refuses the settlement, a cleaned one is stored, so that the answer is kept.

    Raises TurnNotRunning if the sweep was earlier, or what PostgreSQL has against the cleaned one.
    """
    try:
        return settlement, await _settle_when_available(database, turn, settlement)
    except TurnNotRunning:
        raise
    except Exception:
        log.exception("settlement_refused")
    cleaned = clean(settlement)
    return cleaned, await _settle_when_available(database, turn, cleaned)


async def _settle_when_available(
    database: TurnDatabase, turn: Turn, settlement: Settlement
) -> Receipt:
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            if receipt := await _settle_or_find(database, turn, settlement):
                return receipt
        except DATABASE_UNAVAILABLE as error:
            if (getattr(error, "sqlstate", None) or "").startswith(_LIMIT_EXCEEDED):
                raise
            log.warning("settle_retry", reason=type(error).__name__)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        pause = min(2 * pause, MAX_PAUSE_SECONDS)


async def _settle_or_find(
    database: TurnDatabase, turn: Turn, settlement: Settlement
) -> Receipt | None:
    try:
        return await database.settle(turn=turn, settlement=settlement)
    except TurnNotRunning:
        # Perhaps an earlier try was committed, and only its answer was lost.
        return await database.run(find_receipt, turn, settlement.status)


def find_receipt(turn: Turn, status: TurnStatus) -> Receipt | None:
    """What the turn cost, if it has settled with this status; None while it runs.

    Raises TurnNotRunning if it has settled otherwise, or is gone.
    """
    row = Turn.objects.filter(workspace_id=turn.workspace_id, id=turn.id).first()
    if row is None or row.status not in (status, TurnStatus.RUNNING):
        raise TurnNotRunning
    if row.status == TurnStatus.RUNNING:
        return None
    return Receipt(row.credits_charged, balance_after_turn(row.workspace_id, row.id))


def clean(settlement: Settlement) -> Settlement:
    """The settlement with texts and numbers that PostgreSQL can store, as near as possible.

    Characters are replaced one for one, so the pieces of the text keep their lengths.
    """
    text = replace_unstorable(settlement.text)
    lengths = list(settlement.delta_lengths)
    return replace(
        settlement,
        text=text,
        delta_lengths=lengths if sum(lengths) == len(text) else [len(text)],
        finish_reason=replace_unstorable(settlement.finish_reason)[:20],
        error_code=replace_unstorable(settlement.error_code)[:40],
        input_tokens=_clean_number(settlement.input_tokens),
        output_tokens=_clean_number(settlement.output_tokens),
    )


def _clean_number(number: int | None) -> int | None:
    return None if number is None else min(max(int(number), 0), _MAX_INTEGER)
