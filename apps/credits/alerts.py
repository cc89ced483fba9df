"""Alert a workspace when its balance falls below its threshold, or to 0.

Celery beat calls `check_balances` every few seconds, so that turns cost nothing for it. An alert is
armed while the balance is at or above the threshold (or above 0), and fires once when the balance
is found below. A balance that falls and recovers between two checks causes no alert.
"""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, Q

from apps.audit.services import Actor, record
from apps.credits.letter_texts import recipients
from apps.credits.models import MAX_CREDITS, Account, Alert, AlertKind
from apps.credits.services import lock_account
from apps.infrastructure.isolation import sum_each
from apps.infrastructure.postgres.claims import lock_first
from apps.webhooks.models import EventType
from apps.webhooks.services import emit
from apps.workspaces.models import LetterKind
from apps.workspaces.services import queue_letters

# Skips accounts that a turn has locked until the next check: waiting for many could deadlock.
_ARM_ALERTS = """
UPDATE credits_account SET
  low_alert_armed = coalesce(balance >= low_balance_threshold, false),
  exhausted_alert_armed = balance > 0
WHERE workspace_id IN (
  SELECT workspace_id FROM credits_account
  WHERE balance >= low_balance_threshold AND NOT low_alert_armed
     OR balance > 0 AND NOT exhausted_alert_armed
  ORDER BY workspace_id FOR NO KEY UPDATE SKIP LOCKED
)
"""


@transaction.atomic
def set_low_balance_threshold(*, workspace_id: str, threshold: int | None, actor: Actor) -> Account:
    """Alert the workspace when its balance falls below this many credits; None turns it off.

    A balance that is already below causes no alert until it has risen first. Raises ValueError.
    """
    if threshold is not None and not 1 <= threshold <= MAX_CREDITS:
        raise ValueError(f"A threshold is 1 to {MAX_CREDITS:,} credits.")
    account = lock_account(workspace_id=workspace_id)
    before = account.low_balance_threshold
    if threshold == before:
        return account
    account.low_balance_threshold = threshold
    account.low_alert_armed = threshold is not None and account.balance >= threshold
    account.save(update_fields=["low_balance_threshold", "low_alert_armed"])
    record(
        workspace_id=workspace_id,
        actor=actor,
        action="credits.threshold_set",
        target_id=workspace_id,
        details={"threshold": [before, threshold]},
    )
    return account


def check_balances() -> int:
    """Create alerts for balances that fell, re-arm those that rose; return the number created."""
    below = Account.objects.filter(
        Q(low_alert_armed=True, balance__lt=F("low_balance_threshold"))
        | Q(exhausted_alert_armed=True, balance=0)
    ).order_by("workspace_id")
    ids = list(below.values_list("workspace_id", flat=True))
    created = sum_each(ids, _check_account, event="balance_not_checked")
    with connection.cursor() as cursor:
        cursor.execute(_ARM_ALERTS)
    return created


@transaction.atomic
def _check_account(workspace_id: str) -> int:
    account = lock_account(workspace_id=workspace_id)
    threshold = account.low_balance_threshold
    low = account.low_alert_armed and threshold is not None and account.balance < threshold
    exhausted = account.exhausted_alert_armed and account.balance == 0
    if low:
        account.low_alert_armed = False
        _create_alert(account, AlertKind.LOW, EventType.CREDITS_LOW)
    if exhausted:
        account.exhausted_alert_armed = False
        _create_alert(account, AlertKind.EXHAUSTED, EventType.CREDITS_EXHAUSTED)
    account.save(update_fields=["low_alert_armed", "exhausted_alert_armed"])
    return low + exhausted


def _create_alert(account: Account, kind: AlertKind, event: EventType) -> None:
    Alert.objects.create(
        workspace_id=account.workspace_id,
        kind=kind,
        balance=account.balance,
        threshold=account.low_balance_threshold if kind == AlertKind.LOW else None,
    )
    emit(workspace_id=account.workspace_id, event=event, data={"balance": account.balance})


def send_alert_emails(*, now: datetime) -> int:
    """Write letters about the alerts that were not emailed yet; return how many alerts.

    Each alert has its own transaction and is marked in it, so that two workers never both write
    them.
    """
    sent = 0
    while _send_next_email(now):
        sent += 1
    return sent


@transaction.atomic
def _send_next_email(now: datetime) -> bool:
    alert = lock_first(Alert.objects.filter(mailed_at=None), "created_at")
    if alert is None:
        return False
    queue_letters(
        workspace_id=alert.workspace_id,
        kind=LetterKind.CREDIT_ALERT,
        subject_id=alert.id,
        recipients=recipients(alert.workspace_id),
    )
    alert.mailed_at = now
    alert.save(update_fields=["mailed_at"])
    return True
