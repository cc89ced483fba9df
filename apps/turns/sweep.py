"""The sweep: settle turns whose process died."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.conversations.models import (
    Turn,
    TurnStatus,
)
from apps.credits.services import lock_account
from apps.turns.orm import settle_turn
from apps.turns.types import Settlement


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
