"""Telling a workspace that its balance fell: below the owner's threshold, or to nothing.

Turns know nothing of it. Every few seconds the clock looks for accounts whose balance is on the
other side than it was at the last look. An alert is armed while the balance is at the threshold
or above (or above nothing), and told once when it is found below; so a balance that dips and is
back before anybody looked is told of to nobody.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, Q

from apps.audit.services import Actor, record
from apps.credits.emails import send_email
from apps.credits.models import MAX_CREDITS, Account, Alert, AlertKind
from apps.credits.services import lock_account
from apps.webhooks.models import EventType
from apps.webhooks.services import emit

# Accounts that a turn has locked are left for the next look: an update of many that waits could
# wait in a circle.
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
    """Tell the workspace when its balance falls below this many credits; never, without a number.

    A balance that is below already is not told of: it has to rise first. Raises ValueError.
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
    """Arm what has risen, and tell what has fallen; how many alerts that was."""
    fallen = Account.objects.filter(
        Q(low_alert_armed=True, balance__lt=F("low_balance_threshold"))
        | Q(exhausted_alert_armed=True, balance=0)
    ).order_by("workspace_id")
    ids = list(fallen.values_list("workspace_id", flat=True))
    told = sum(_check_account(workspace_id) for workspace_id in ids)
    with connection.cursor() as cursor:
        cursor.execute(_ARM_ALERTS)
    return told


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
    """Mail what nobody was mailed yet to those who may ask for credits; how many alerts.

    Each in a transaction of its own, with its row locked while the mail is handed over: it is
    marked if and only if the mail server took it, and two workers never both send it.
    """
    mailed = 0
    while _send_next_email(now):
        mailed += 1
    return mailed


@transaction.atomic
def _send_next_email(now: datetime) -> bool:
    waiting = Alert.objects.filter(mailed_at=None).select_related("workspace")
    alert = waiting.select_for_update(of=("self",), skip_locked=True).order_by("created_at").first()
    if alert is None:
        return False
    if alert.workspace.closed_at is None:
        send_email("alert", workspace=alert.workspace, alert=alert)
    alert.mailed_at = now
    alert.save(update_fields=["mailed_at"])
    return True
