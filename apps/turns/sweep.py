"""The sweep: settle turns whose process died."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.conversations.models import Turn, TurnStatus
from apps.credits.services import lock_account
from apps.turns.settle import settle_turn_blocking
from apps.turns.types import Settlement

SWEEP_BATCH_SIZE = 1000


def sweep_turns() -> list[str]:
    """Settle turns without a heartbeat as abandoned: text kept, hold released. Returns their ids.

    Safe to run twice at once: a turn that another sweep has locked is skipped.
    """
    silent = list(_silent_turns().values_list("workspace_id", "id")[:SWEEP_BATCH_SIZE])
    return [turn_id for workspace_id, turn_id in silent if _abandon(workspace_id, turn_id)]


def _silent_turns() -> QuerySet[Turn]:
    longest = timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    return Turn.objects.filter(status=TurnStatus.RUNNING, heartbeat_at__lt=Now() - longest)


@transaction.atomic
def _abandon(workspace_id: str, turn_id: str) -> bool:
    lock_account(workspace_id=workspace_id)
    turn = _silent_turns().filter(id=turn_id).select_for_update(skip_locked=True).first()
    if turn is None:
        return False
    settlement = Settlement(
        status=TurnStatus.ABANDONED,
        text=turn.text_so_far,
        delta_lengths=turn.delta_lengths,
        finish_reason="abandoned" if turn.text_so_far else "",
        error_code="TURN_ABANDONED",
    )
    settle_turn_blocking(turn=turn, settlement=settlement)
    return True
