"""Put workspaces on plans, change their plan, and preview a change."""

from datetime import date, datetime

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.audit.services import Actor
from apps.credits.errors import OwnWorkspaceError, PlanUnchanged
from apps.credits.models import Account, Plan, WelcomeGrant
from apps.credits.plans.months import anniversaries_until, anniversary, utc_date
from apps.credits.plans.renewal import expiry_for, grant_month, record_plan, renew_account
from apps.credits.services import grant, lock_account, open_account
from apps.workspaces.queries import is_member


def available_plans() -> QuerySet[Plan]:
    """Return the plans that workspaces can move to."""
    return Plan.objects.filter(is_active=True)


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
def start_plan_of_owner(*, workspace_id: str, plan: str, owner: User, now: datetime) -> Account:
    """Put a new workspace on a plan, with its credits unless its owner has had them before.

    That is written down for good: a second workspace of the same person, also at the same time or
    after the first was transferred or deleted, starts without credits.
    """
    _, is_first = WelcomeGrant.objects.get_or_create(
        user=owner, defaults={"workspace_id": workspace_id}
    )
    return start_plan(workspace_id=workspace_id, plan=plan, grant_credits=is_first, now=now)


@transaction.atomic
def change_plan(
    *,
    workspace_id: str,
    plan: Plan,
    actor: Actor,
    now: datetime,
    user: User | None = None,
    approved_by: User | None = None,
    reason: str = "",
) -> Account:
    """Move the workspace to another plan by the rules of docs/reference/credits.md.

    Naming its current plan cancels a scheduled change. `user` is the member of staff who does it,
    `approved_by` a second one. Raises PlanUnchanged if there is nothing to cancel,
    OwnWorkspaceError, ApprovalRequired if `user` may not grant that many credits alone, and
    ValueError for a plan that is not offered.
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
        record_plan(account, actor, "plan.changed", plan, **details)
        _start_months(account, plan, today, user, approved_by)
    elif plan == account.plan:
        if account.next_plan is None:
            raise PlanUnchanged
        record_plan(account, actor, "plan.change_taken_back", account.next_plan, **details)
        account.next_plan = None
    elif plan.monthly_credits > account.plan.monthly_credits:
        record_plan(account, actor, "plan.changed", plan, **details)
        _grant_difference(account, plan, today, user, approved_by)
        account.plan, account.next_plan = plan, None
    else:
        record_plan(
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
    """Describe what `change_plan` to each available plan would do now; "" for nothing."""
    with transaction.atomic():
        renew_account(workspace_id=workspace_id, now=now)
        account = lock_account(workspace_id=workspace_id)
        changes = [
            (plan, _describe_change(account, plan, utc_date(now))) for plan in available_plans()
        ]
        transaction.set_rollback(True)  # of the renewal
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
    account: Account,
    plan: Plan,
    today: date,
    created_by: User | None = None,
    approved_by: User | None = None,
) -> None:
    account.plan, account.next_plan = plan, None
    account.plan_began, account.next_grant_on = today, anniversary(today, 1)
    grant_month(account, today, today, created_by, approved_by)


def _grant_difference(
    account: Account,
    plan: Plan,
    today: date,
    created_by: User | None,
    approved_by: User | None,
) -> None:
    credits = prorated_credits(account, plan, today)
    left, total = days_left_in_month(account, today)
    if credits:
        grant(
            workspace_id=account.workspace_id,
            credits=credits,
            reason=f"Upgrade from {account.plan} to {plan.name}: {left} of {total} days",
            created_by=created_by,
            approved_by=approved_by,
            expires_at=expiry_for(account, plan, today),
        )
