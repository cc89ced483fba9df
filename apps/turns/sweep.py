"""The sweep: settle turns whose process died.

A turn is silent when its heartbeats stop, but after an outage of PostgreSQL all turns are. So the
sweep writes down its own passes, and a turn's silence counts only while they were uninterrupted:
when PostgreSQL is back, the processes that live have time to write first.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from apps.conversations.models import Turn, TurnStatus
from apps.credits.services import lock_account
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.turns.settle import settle_turn_blocking
from apps.turns.types import Settlement

log = get_logger(__name__)

SWEEP_BATCH_SIZE = 1000

_WRITE_SWEEP = """
INSERT INTO conversations_turnsweep AS sweep (id, passed_at, uninterrupted_since)
VALUES (1, statement_timestamp(), statement_timestamp())
ON CONFLICT (id) DO UPDATE SET
  passed_at = statement_timestamp(),
  uninterrupted_since = CASE
    WHEN statement_timestamp() - sweep.passed_at > make_interval(secs => %s)
    THEN statement_timestamp() ELSE sweep.uninterrupted_since END
RETURNING passed_at, uninterrupted_since
"""


def sweep_turns(*, now: bool = False) -> list[str]:
    """Settle turns without a heartbeat as abandoned: text kept and charged, the rest of the hold
    released; without text, the idempotency key, too. Returns their ids.

    `now`: count silence before this pass, too, for an operator who knows that there was no outage.
    Safe to run twice at once: a turn that another sweep has locked is skipped.
    """
    silent_since = _pass(is_trusted=now)
    if silent_since is None:
        return []
    silent = _silent_turns(silent_since).values_list("workspace_id", "id")[:SWEEP_BATCH_SIZE]
    return [
        turn_id for workspace, turn_id in list(silent) if _try(workspace, turn_id, silent_since)
    ]


def abandon_if_silent(turn: Turn) -> bool:
    """Abandon a turn by the rule of the sweep, for a follower whose sweep may be late. Returns
    whether it has settled."""
    longest = timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    silent = _silent_turns(Now() - longest)
    if not silent.filter(workspace_id=turn.workspace_id, id=turn.id).exists():
        return False
    silent_since = _pass()
    return silent_since is not None and _try(turn.workspace_id, turn.id, silent_since)


def _pass(*, is_trusted: bool = False) -> datetime | None:
    """Write down this pass. Returns the time since which a silent turn must have been silent; None
    if the passes were interrupted since, unless `is_trusted`."""
    longest_gap = max(settings.TURN_ABANDONED_AFTER_SECONDS / 2, 1.5 * settings.TURN_SWEEP_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_SWEEP, [longest_gap])
        passed_at, uninterrupted_since = cursor.fetchone()
    # Counted from this pass, not from now: PostgreSQL may stand still in the middle of it.
    silent_since: datetime = passed_at - timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    return silent_since if is_trusted or uninterrupted_since <= silent_since else None


def _silent_turns(silent_since: datetime | CombinedExpression) -> QuerySet[Turn]:
    return Turn.objects.filter(status=TurnStatus.RUNNING, heartbeat_at__lt=silent_since)


def _try(workspace_id: str, turn_id: str, silent_since: datetime) -> bool:
    """Abandon a turn. One that PostgreSQL refuses to settle does not stop the sweep."""
    try:
        return _abandon(workspace_id, turn_id, silent_since)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:
        log.exception("turn_not_abandoned", turn_id=turn_id)
        return False


@transaction.atomic
def _abandon(workspace_id: str, turn_id: str, silent_since: datetime) -> bool:
    lock_account(workspace_id=workspace_id)
    turns = _silent_turns(silent_since).filter(workspace_id=workspace_id, id=turn_id)
    turn = turns.select_for_update(skip_locked=True).first()
    if turn is None:
        return False
    has_text = bool(turn.text_so_far)
    settlement = Settlement(
        status=TurnStatus.ABANDONED,
        text=turn.text_so_far,
        delta_lengths=turn.delta_lengths,
        finish_reason="abandoned" if has_text else "",
        error_code="TURN_ABANDONED",
        input_tokens=turn.input_tokens,
        output_tokens=turn.output_tokens,
        knowledge=turn.knowledge,
    )
    settle_turn_blocking(turn=turn, settlement=settlement)
    if not has_text:
        # Nothing is kept or charged that a retry could be told again: it opens a new turn.
        Turn.objects.filter(workspace_id=workspace_id, id=turn_id).update(idempotency_key=None)
    return True
