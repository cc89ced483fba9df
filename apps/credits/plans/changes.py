"""Plans: monthly grants, expiry and plan changes. docs/credits.md has the rules.

    start_plan       puts a new workspace on a plan
    renew_account    expires credits and grants months that are due
    change_plan      to more monthly credits: now, prorated; to fewer: at the next anniversary

Each takes the time as `now` and first renews the account up to it, so that missed renewals are
made up for with the plan that was in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.audit.services import SYSTEM, Actor, record
from apps.credits.errors import OwnWorkspaceError, PlanUnchanged
from apps.credits.models import Account, LedgerEntry, Lot, Plan
from apps.credits.plans.months import anniversaries_until, anniversary, utc_date, utc_midnight
from apps.credits.services import expire_lots, grant, lock_account, open_account
from apps.infrastructure.logging import get_logger
from apps.workspaces.queries import is_member

log = get_logger(__name__)


@transaction.atomic
def start_plan(*, workspace_id: str, plan: str, grant_credits: bool, now: datetime) -> Account:
    """Put a new workspace on a plan, with its credits now and each month if `grant_credits`."""
    account = lock_account(workspace_id=workspace_id)
    account.plan = Plan.objects.get(slug=plan)
    if grant_credits:
        _start_months(account, account.plan, utc_date(now))
    account.save(update_fields=["plan", "plan_began", "next_grant_on"])
    return account


@transaction.atomic
def renew_account(*, workspace_id: str, now: datetime) -> list[LedgerEntry]:
    """Expire credits and grant months that are due by `now`. Idempotent."""
    entries = expire_lots(workspace_id=workspace_id, now=now)
    account = lock_account(workspace_id=workspace_id)
    today = utc_date(now)
    while (period := account.next_grant_on) is not None and period <= today:
        if account.next_plan is not None:
            _record(account, SYSTEM, "plan.changed", account.next_plan)
            account.plan, account.next_plan = account.next_plan, None
        entries += _grant_month(account, period, today)
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


@transaction.atomic
def change_plan(
    *,
    workspace_id: str,
    plan: Plan,
    actor: Actor,
    now: datetime,
    user: User | None = None,
    reason: str = "",
) -> Account:
    """Move the workspace to another plan by the rules of docs/credits.md.

    Naming its current plan cancels a scheduled change. `user` is the member of staff who does it.
    Raises PlanUnchanged if there is nothing to cancel, OwnWorkspaceError, and ValueError for a plan
    that is not offered.
    """
    if user is not None and is_member(user, workspace_id):
        raise OwnWorkspaceError
    if not plan.is_active:
        raise ValueError(f"The plan {plan.name} is not offered.")
    details = {"reason": reason} if reason else {}
    open_account(workspace_id=workspace_id)
    renew_account(workspace_id=workspace_id, now=now)
    account = lock_account(workspace_id=workspace_id)
    today = utc_date(now)
    if account.plan is None or account.plan_began is None:
        _record(account, actor, "plan.changed", plan, **details)
        _start_months(account, plan, today, user)
    elif plan == account.plan:
        if account.next_plan is None:
            raise PlanUnchanged
        _record(account, actor, "plan.change_taken_back", account.next_plan, **details)
        account.next_plan = None
    elif plan.monthly_credits > account.plan.monthly_credits:
        _record(account, actor, "plan.changed", plan, **details)
        _grant_difference(account, plan, today, user)
        account.plan, account.next_plan = plan, None
    else:
        _record(
            account, actor, "plan.change_planned", plan, on=str(account.next_grant_on), **details
        )
        account.next_plan = plan
    account.save(update_fields=["plan", "plan_began", "next_grant_on", "next_plan"])
    return account


def days_left_in_month(account: Account, today: date) -> tuple[int, int]:
    """Return the days left in the plan's month, today included, and all days of that month."""
    began, end = account.plan_began, account.next_grant_on
    if began is None or end is None:
        raise ValueError("The account has no months.")
    start = anniversary(began, anniversaries_until(began, today))
    return (end - today).days, (end - start).days


def prorated_credits(account: Account, plan: Plan, today: date) -> int:
    """Return the credits that an upgrade grants now: the difference by days, rounded down."""
    before = account.plan.monthly_credits if account.plan else 0
    left, total = days_left_in_month(account, today)
    return max(0, (plan.monthly_credits - before) * left // total)


def preview_plan_changes(*, workspace_id: str, now: datetime) -> list[tuple[Plan, str]]:
    """Describe what `change_plan` to each available plan would do now; "" for nothing.

    Renews the account first and rolls that back, so nothing changes.
    """
    with transaction.atomic():
        renew_account(workspace_id=workspace_id, now=now)
        account = lock_account(workspace_id=workspace_id)
        changes = [
            (plan, _describe_change(account, plan, utc_date(now))) for plan in available_plans()
        ]
        transaction.set_rollback(True)
    return changes


def _describe_change(account: Account, plan: Plan, today: date) -> str:
    if account.plan is None or account.plan_began is None:
        return f"Immediately, with {plan.monthly_credits:,} credits. The billing month starts today"
    if plan == account.plan:
        if account.next_plan is None:
            return ""
        return f"Keeps this plan and cancels the change to {account.next_plan}"
    if plan.monthly_credits > account.plan.monthly_credits:
        left, total = days_left_in_month(account, today)
        credits = prorated_credits(account, plan, today)
        return f"Immediately, with {credits:,} credits for {left} of {total} days"
    return f"From {account.next_grant_on:%-d %B %Y}. No credits are taken back"


def _start_months(
    account: Account, plan: Plan, today: date, created_by: User | None = None
) -> None:
    account.plan, account.next_plan = plan, None
    account.plan_began, account.next_grant_on = today, anniversary(today, 1)
    _grant_month(account, today, today, created_by)


def _grant_month(
    account: Account, period: date, today: date, created_by: User | None = None
) -> list[LedgerEntry]:
    plan = account.plan
    if plan is None or plan.monthly_credits == 0:
        return []
    entry = grant(
        workspace_id=account.workspace_id,
        credits=plan.monthly_credits,
        reason=f"{plan.name} plan, month from {period:%-d %B %Y}",
        created_by=created_by,
        expires_at=_expiry_for(account, plan, today),
        period=period,
    )
    return [entry]


def _grant_difference(account: Account, plan: Plan, today: date, created_by: User | None) -> None:
    credits = prorated_credits(account, plan, today)
    left, total = days_left_in_month(account, today)
    if credits:
        grant(
            workspace_id=account.workspace_id,
            credits=credits,
            reason=f"Upgrade from {account.plan} to {plan.name}: {left} of {total} days",
            created_by=created_by,
            expires_at=_expiry_for(account, plan, today),
        )


def _expiry_for(account: Account, plan: Plan, today: date) -> datetime | None:
    """Return when credits granted today expire; a month that is granted late lasts as long."""
    if plan.credits_last_months is None or account.plan_began is None:
        return None
    began = account.plan_began
    return utc_midnight(
        anniversary(began, anniversaries_until(began, today) + plan.credits_last_months)
    )


def _next_anniversary(account: Account, period: date) -> date | None:
    began = account.plan_began
    return anniversary(began, anniversaries_until(began, period) + 1) if began else None


def available_plans() -> QuerySet[Plan]:
    """Return the plans that workspaces can move to."""
    return Plan.objects.filter(is_active=True)


def _workspaces_due(now: datetime) -> Iterator[str]:
    """Yield the ids of open workspaces with a due grant or an expired lot."""
    expired = Lot.objects.filter(remaining__gt=0, expires_at__lte=now).values("workspace_id")
    due = Account.objects.filter(Q(next_grant_on__lte=utc_date(now)) | Q(workspace_id__in=expired))
    open_accounts = due.filter(workspace__closed_at=None).order_by("workspace_id")
    return iter(list(open_accounts.values_list("workspace_id", flat=True)))


def _record(account: Account, actor: Actor, action: str, plan: Plan, **details: str) -> None:
    record(
        workspace_id=account.workspace_id,
        actor=actor,
        action=action,
        target_id=plan.id,
        target_label=plan.name,
        details={"plan": [str(account.plan) if account.plan else None, plan.name], **details},
    )
