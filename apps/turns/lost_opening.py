"""Open a turn although the answer of the statement may be lost.

The connection may break after PostgreSQL has committed a turn and before it says so. Nobody would
run that turn, and its idempotency key would find it abandoned. Its id is known beforehand, so it is
looked up; if PostgreSQL stays away, the turn is undone once it is back.
"""

import asyncio

from django.db import transaction

from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ServiceUnavailable
from apps.credits.services import lock_account
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE, DatabaseUnavailable
from apps.turns.database import TurnDatabase
from apps.turns.open import build_turn
from apps.turns.settle import settle_turn_blocking
from apps.turns.types import NewTurn, Settlement

log = get_logger(__name__)

FIND_SECONDS = 2.0
"""How long a caller waits while the turn is looked for."""
UNDO_SECONDS = 600.0
"""How long PostgreSQL may stay away; then the sweep settles the turn, if there is one."""
_PAUSE_SECONDS = 0.1
_MAX_PAUSE_SECONDS = 1.0
_SECOND_LOOK_SECONDS = 5.0
"""A statement that lost its client may still be waiting for a lock when it is looked for."""

_LOST_CLASSES = {"08", "57"}
_QUERY_CANCELED = "57014"


async def open_or_find(database: TurnDatabase, new: NewTurn) -> tuple[Turn, bool]:
    """As `open_turn`, even if the statement's answer is lost.

    Raises ServiceUnavailable if the turn cannot be found then. It is undone if it turns up.
    """
    turn = build_turn(new)
    try:
        return await database.open(turn, new)
    except DATABASE_UNAVAILABLE as error:
        if not may_be_committed(error):
            raise
        log.warning("opening_lost", turn_id=turn.id, reason=type(error).__name__)
        if await _find(database, turn):
            return turn, True
        start_background_task(_undo_when_available(database, turn))
        raise ServiceUnavailable from error


def may_be_committed(error: Exception) -> bool:
    """Whether the statement may have had its effect. Not if it was never sent, or failed."""
    if isinstance(error, DatabaseUnavailable):
        return False
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        return True
    return sqlstate[:2] in _LOST_CLASSES and sqlstate != _QUERY_CANCELED


async def _find(database: TurnDatabase, turn: Turn) -> bool:
    """Whether the turn is there, within FIND_SECONDS."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + FIND_SECONDS, _PAUSE_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                if await database.run(is_running, turn):
                    return True
                await asyncio.sleep(pause)
        except TimeoutError:
            return False
        except DATABASE_UNAVAILABLE:
            await asyncio.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)


async def _undo_when_available(database: TurnDatabase, turn: Turn) -> None:
    loop = asyncio.get_running_loop()
    deadline, looks = loop.time() + UNDO_SECONDS, 0
    while loop.time() < deadline:
        try:
            if await database.run(undo_opening, turn):
                log.warning("opening_undone", turn_id=turn.id)
                return
        except DATABASE_UNAVAILABLE:
            await asyncio.sleep(_MAX_PAUSE_SECONDS)
        except Exception:
            log.exception("opening_not_undone", turn_id=turn.id)
            return
        else:
            looks += 1
            if looks == 2:
                return
            await asyncio.sleep(_SECOND_LOOK_SECONDS)


def is_running(turn: Turn) -> bool:
    """Whether the turn was opened and still runs."""
    rows = Turn.objects.filter(workspace_id=turn.workspace_id, id=turn.id)
    return rows.filter(status=TurnStatus.RUNNING).exists()


@transaction.atomic
def undo_opening(turn: Turn) -> bool:
    """Fail an opened turn that nobody runs, and free its idempotency key, so that a retry opens a
    new one. False if it is not there."""
    lock_account(workspace_id=turn.workspace_id)
    rows = Turn.objects.filter(workspace_id=turn.workspace_id, id=turn.id)
    row = rows.filter(status=TurnStatus.RUNNING).select_for_update().first()
    if row is None:
        return False
    settlement = Settlement(
        status=TurnStatus.FAILED, finish_reason="error", error_code=ServiceUnavailable.code
    )
    settle_turn_blocking(turn=row, settlement=settlement)
    rows.update(idempotency_key=None)
    return True
