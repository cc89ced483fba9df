"""Renew accounts: expire credits and grant the months that are due."""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.audit.services import SYSTEM, Actor, record
from apps.credits.models import Account, LedgerEntry, Lot, Plan
from apps.credits.plans.months import anniversaries_until, anniversary, utc_date, utc_midnight
from apps.credits.services import expire_lots, grant, lock_account
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)


@transaction.atomic
def renew_account(*, workspace_id: str, now: datetime) -> list[LedgerEntry]:
    """Expire credits and grant months that are due by `now`. Idempotent."""
    entries = expire_lots(workspace_id=workspace_id, now=now)
    account = lock_account(workspace_id=workspace_id)
    today = utc_date(now)
    while (period := account.next_grant_on) is not None and period <= today:
        if account.next_plan is not None:
            record_plan(account, SYSTEM, "plan.changed", account.next_plan)
            account.plan, account.next_plan = account.next_plan, None
        entries += grant_month(account, period, today)
        account.next_grant_on = _next_anniversary(account, period)
    account.save(update_fields=["plan", "next_plan", "next_grant_on"])
    return entries


def renew_due_accounts(*, now: datetime) -> int:
    """Renew every account that is due; return how many changed.

    Concurrent runs serialise on each account, and the second finds nothing left to do. A failure is
    logged and does not stop the other accounts.
    """
    renewed = 0
    for workspace_id in _workspaces_due(now):
        try:
            renewed += bool(renew_account(workspace_id=workspace_id, now=now))
        except Exception:
            log.exception("renewal_failed", workspace_id=workspace_id)
    return renewed


def grant_month(
    account: Account,
    period: date,
    today: date,
    created_by: User | None = None,
    approved_by: User | None = None,
) -> list[LedgerEntry]:
    """Grant the monthly credits, if any, of the plan's month that starts on `period`."""
    plan = account.plan
    if plan is None or plan.monthly_credits == 0:
        return []
    entry = grant(
        workspace_id=account.workspace_id,
        credits=plan.monthly_credits,
        reason=f"{plan.name} plan, month from {period:%-d %B %Y}",
        created_by=created_by,
        approved_by=approved_by,
        expires_at=expiry_for(account, plan, today),
        period=period,
    )
    return [entry]


def expiry_for(account: Account, plan: Plan, today: date) -> datetime | None:
    """Return when credits granted today expire; a month that is granted late lasts as long."""
    if plan.credits_last_months is None or account.plan_began is None:
        return None
    began = account.plan_began
    return utc_midnight(
        anniversary(began, anniversaries_until(began, today) + plan.credits_last_months)
    )


def record_plan(account: Account, actor: Actor, action: str, plan: Plan, **details: str) -> None:
    """Record in the audit log a change from the account's plan to `plan`."""
    record(
        workspace_id=account.workspace_id,
        actor=actor,
        action=action,
        target_id=plan.id,
        target_label=plan.name,
        details={"plan": [str(account.plan) if account.plan else None, plan.name], **details},
    )


def _next_anniversary(account: Account, period: date) -> date | None:
    began = account.plan_began
    return anniversary(began, anniversaries_until(began, period) + 1) if began else None


def _workspaces_due(now: datetime) -> list[str]:
    """Return the ids of open workspaces with a due grant or an expired lot."""
    expired = Lot.objects.filter(remaining__gt=0, expires_at__lte=now).values("workspace_id")
    due = Account.objects.filter(Q(next_grant_on__lte=utc_date(now)) | Q(workspace_id__in=expired))
    open_accounts = due.filter(workspace__closed_at=None).order_by("workspace_id")
    return list(open_accounts.values_list("workspace_id", flat=True))
