"""The admin's home page: what needs attention."""

from datetime import datetime, timedelta
from typing import Any, cast

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User
from apps.conversations.models import Turn, TurnStatus
from apps.core.ids import min_id_at
from apps.credits.models import Account, AccountCheck, CreditRequest, RequestState
from apps.credits.queries import failed_account_checks, latest_nightly_check
from apps.staff.sections import (
    MAX_ROWS,
    Section,
    SectionBuilder,
    admin_link,
    admin_list_url,
    format_time,
    permitted_sections,
)
from apps.webhooks.models import DisabledReason, Endpoint

DAY = timedelta(days=1)
RECENT_USE = 30 * DAY
"""Accounts without turns in this period are not listed as low on credits."""
ABANDONED_SINCE = 7 * DAY
DISABLED_SINCE = 7 * DAY


def home_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the home page, with the sections that the user may see."""
    now = timezone.now()
    return {
        **context,
        "title": "Needs attention",
        "sections": permitted_sections(SECTIONS, cast(User, request.user), now),
    }


def ledger_checks(now: datetime) -> Section:
    """The faults that the latest reconciliation found."""
    night = latest_nightly_check()
    faults = list(failed_account_checks(night)[:MAX_ROWS]) if night else []
    return Section(
        title="Ledger checks",
        headers=["Workspace", "Mismatch", "First found in"],
        rows=[
            [admin_link(check.workspace), admin_link(check, check.fault), check.fault_row_id or "—"]
            for check in faults
        ],
        empty_text=f"No mismatches on {night.day}." if night else "Not run yet.",
        list_url=admin_list_url(AccountCheck),
    )


def accounts_low_on_credits(now: datetime) -> Section:
    """Accounts in use with no more than a tenth of their monthly credits."""
    turns = Turn.objects.filter(
        workspace_id=OuterRef("workspace_id"), created_at__gte=now - RECENT_USE
    )
    low = (
        Account.objects.annotate(free=F("balance") - F("held"))
        .filter(Q(free__lte=0) | Q(free__lte=F("plan__monthly_credits") / 10))
        .filter(Exists(turns), workspace__closed_at=None)
        .select_related("workspace", "plan")
        .order_by("free", "workspace_id")
    )
    return Section(
        title="Low or out of credits",
        headers=["Workspace", "Available", "Reserved", "Plan"],
        rows=[
            [
                admin_link(account.workspace),
                f"{account.balance - account.held:,}",
                f"{account.held:,}",
                account.plan or "None",
            ]
            for account in low[:MAX_ROWS]
        ],
        empty_text="All active workspaces have credits.",
        list_url=admin_list_url(Account),
    )


def open_requests(now: datetime) -> Section:
    """Open requests for credits or a plan, oldest first."""
    requests = CreditRequest.objects.filter(
        state=RequestState.OPEN, workspace__closed_at=None
    ).select_related("workspace", "plan")
    return Section(
        title="Open credit requests",
        headers=["Request", "Workspace", "Requested"],
        rows=[
            [
                admin_link(
                    request,
                    f"{request.plan} plan" if request.plan else f"{request.credits:,} credits",
                ),
                admin_link(request.workspace),
                format_time(request.created_at),
            ]
            for request in requests.order_by("created_at")[:MAX_ROWS]
        ],
        empty_text="No open requests.",
        list_url=admin_list_url(CreditRequest, state__exact=RequestState.OPEN.value),
    )


def failing_webhooks(now: datetime) -> Section:
    """Endpoints without a success since their last failure, or disabled for failing."""
    failing = Endpoint.objects.filter(workspace__closed_at=None).filter(
        Q(disabled_at=None, failing_since__isnull=False)
        | Q(
            disabled_reason__in=[DisabledReason.FAILING, DisabledReason.GONE],
            disabled_at__gte=now - DISABLED_SINCE,
        )
    )
    return Section(
        title="Failing webhooks",
        headers=["Endpoint", "Workspace", "Failing since", "Status"],
        rows=[
            [
                admin_link(endpoint, endpoint.origin),
                admin_link(endpoint.workspace),
                format_time(endpoint.failing_since),
                "Active" if endpoint.is_enabled else endpoint.get_disabled_reason_display(),
            ]
            for endpoint in failing.select_related("workspace").order_by("failing_since", "id")[
                :MAX_ROWS
            ]
        ],
        empty_text="No failing endpoints.",
        list_url=admin_list_url(Endpoint),
    )


def abandoned_turns(now: datetime) -> Section:
    """Turns whose process died in the last 7 days, newest first."""
    abandoned: QuerySet[Turn] = Turn.objects.filter(
        status=TurnStatus.ABANDONED, settled_at__gte=now - ABANDONED_SINCE
    )
    return Section(
        title="Abandoned turns (7 days)",
        headers=["Turn", "Workspace", "Model", "Abandoned"],
        rows=[
            [
                admin_link(turn, turn.pk),
                admin_link(turn.workspace),
                turn.model_name,
                format_time(turn.settled_at),
            ]
            for turn in abandoned.select_related("workspace").order_by("-settled_at")[:MAX_ROWS]
        ],
        empty_text="No abandoned turns.",
        list_url=admin_list_url(Turn, status__exact=TurnStatus.ABANDONED.value),
    )


def errors_by_model(now: datetime) -> Section:
    """Models with failed turns in the last 24 hours, the highest error rate first.

    Ids begin with their time, so the primary key finds the turns of a day. `created_at` excludes
    seeded turns of the past, whose ids are new.
    """
    counts = (
        Turn.objects.filter(id__gte=min_id_at(now - DAY), created_at__gte=now - DAY)
        .values("model_name")
        .annotate(
            turns=Count("id"),
            failed=Count("id", filter=Q(status__in=[TurnStatus.FAILED, TurnStatus.ABANDONED])),
            unavailable=Count("id", filter=Q(error_code="MODEL_UNAVAILABLE")),
            timed_out=Count("id", filter=Q(error_code="MODEL_TIMEOUT")),
        )
        .filter(failed__gt=0)
    )
    worst = sorted(counts, key=lambda row: (-row["failed"] / row["turns"], row["model_name"]))
    return Section(
        title="Errors by model (24 hours)",
        headers=["Model", "Turns", "Failed", "Error rate", "Unavailable", "Timed out"],
        rows=[
            [
                row["model_name"],
                f"{row['turns']:,}",
                f"{row['failed']:,}",
                f"{100 * row['failed'] / row['turns']:.1f}%",
                f"{row['unavailable']:,}",
                f"{row['timed_out']:,}",
            ]
            for row in worst[:MAX_ROWS]
        ],
        empty_text="No failed turns.",
        list_url=admin_list_url(Turn, status__exact=TurnStatus.FAILED.value),
    )


SECTIONS: tuple[SectionBuilder, ...] = (
    ("credits.view_accountcheck", ledger_checks),
    ("credits.view_creditrequest", open_requests),
    ("credits.view_account", accounts_low_on_credits),
    ("webhooks.view_endpoint", failing_webhooks),
    ("conversations.view_turn", errors_by_model),
    ("conversations.view_turn", abandoned_turns),
)
