"""The admin's start page: what needs a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User
from apps.conversations.models import Turn, TurnStatus
from apps.core.ids import first_id_at
from apps.credits.models import Account, AccountCheck, CreditRequest, RequestState
from apps.credits.queries import failed_account_checks, latest_nightly_check
from apps.staff.sections import (
    MOST_ROWS,
    Part,
    Section,
    allowed,
    link,
    list_address,
    when,
)
from apps.webhooks.models import DisabledReason, Endpoint

DAY = timedelta(days=1)
IN_USE = 30 * DAY
"""An account that ran dry matters where somebody has chatted so lately."""
ABANDONED_SINCE = 7 * DAY
DISABLED_SINCE = 7 * DAY


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the start page, with what the person may see of it."""
    now = timezone.now()
    return {
        **context,
        "title": "What needs a person",
        "sections": allowed(PARTS, cast(User, request.user), now),
    }


def books_that_differ(now: datetime) -> Section:
    """What the last check of the books found, and when that was."""
    night = latest_nightly_check()
    faults = list(failed_account_checks(night)[:MOST_ROWS]) if night else []
    return Section(
        title="Books that do not agree",
        headers=["Workspace", "What differs", "First seen in"],
        rows=[
            [link(check.workspace), link(check, check.fault), check.fault_row_id or "—"]
            for check in faults
        ],
        nothing=f"All books agreed on {night.day}." if night else "No night has checked them yet.",
        more=list_address(AccountCheck),
    )


def credits_short(now: datetime) -> Section:
    """Accounts in use that are empty, or have a tenth of their month's credits left."""
    turns = Turn.objects.filter(workspace_id=OuterRef("workspace_id"), created_at__gte=now - IN_USE)
    short = (
        Account.objects.annotate(free=F("balance") - F("held"))
        .filter(Q(free__lte=0) | Q(free__lte=F("plan__monthly_credits") / 10))
        .filter(Exists(turns), workspace__closed_at=None)
        .select_related("workspace", "plan")
        .order_by("free", "workspace_id")
    )
    return Section(
        title="Out of credits, or soon",
        headers=["Workspace", "Free", "Held", "Plan"],
        rows=[
            [
                link(account.workspace),
                f"{account.balance - account.held:,}",
                f"{account.held:,}",
                account.plan or "none",
            ]
            for account in short[:MOST_ROWS]
        ],
        nothing="Every workspace in use has credits.",
        more=list_address(Account),
    )


def open_requests(now: datetime) -> Section:
    """What workspaces ask for and nobody has answered, oldest first."""
    waiting = CreditRequest.objects.filter(
        state=RequestState.OPEN, workspace__closed_at=None
    ).select_related("workspace", "plan")
    return Section(
        title="Requests that wait",
        headers=["Asked for", "Workspace", "Since"],
        rows=[
            [
                link(
                    asked, f"the plan {asked.plan}" if asked.plan else f"{asked.credits:,} credits"
                ),
                link(asked.workspace),
                when(asked.created_at),
            ]
            for asked in waiting.order_by("created_at")[:MOST_ROWS]
        ],
        nothing="Every request is answered.",
        more=list_address(CreditRequest, state__exact=RequestState.OPEN.value),
    )


def failing_webhooks(now: datetime) -> Section:
    """Endpoints that have failed since their last success, or were switched off for it."""
    failing = Endpoint.objects.filter(workspace__closed_at=None).filter(
        Q(disabled_at=None, failing_since__isnull=False)
        | Q(
            disabled_reason__in=[DisabledReason.FAILING, DisabledReason.GONE],
            disabled_at__gte=now - DISABLED_SINCE,
        )
    )
    return Section(
        title="Webhooks that fail",
        headers=["Endpoint", "Workspace", "Failing since", "State"],
        rows=[
            [
                link(endpoint, endpoint.origin),
                link(endpoint.workspace),
                when(endpoint.failing_since),
                "on" if endpoint.is_enabled else endpoint.get_disabled_reason_display(),
            ]
            for endpoint in failing.select_related("workspace").order_by("failing_since", "id")[
                :MOST_ROWS
            ]
        ],
        nothing="Every endpoint that is on takes what it is sent.",
        more=list_address(Endpoint),
    )


def abandoned_turns(now: datetime) -> Section:
    """Turns whose process died in the past week, newest first."""
    abandoned: QuerySet[Turn] = Turn.objects.filter(
        status=TurnStatus.ABANDONED, settled_at__gte=now - ABANDONED_SINCE
    )
    return Section(
        title="Abandoned turns, past 7 days",
        headers=["Turn", "Workspace", "Model", "Abandoned"],
        rows=[
            [link(turn, turn.pk), link(turn.workspace), turn.model_name, when(turn.settled_at)]
            for turn in abandoned.select_related("workspace").order_by("-settled_at")[:MOST_ROWS]
        ],
        nothing="No process has died with a turn.",
        more=list_address(Turn, status__exact=TurnStatus.ABANDONED.value),
    )


def errors_by_model(now: datetime) -> Section:
    """How often each model failed in the past 24 hours, worst first.

    Ids begin with their time, so the primary key finds the turns of a day; a database that was
    filled with a past has made their ids since.
    """
    counted = (
        Turn.objects.filter(id__gte=first_id_at(now - DAY), created_at__gte=now - DAY)
        .values("model_name")
        .annotate(
            turns=Count("id"),
            failed=Count("id", filter=Q(status__in=[TurnStatus.FAILED, TurnStatus.ABANDONED])),
            unavailable=Count("id", filter=Q(error_code="MODEL_UNAVAILABLE")),
            timed_out=Count("id", filter=Q(error_code="MODEL_TIMEOUT")),
        )
        .filter(failed__gt=0)
    )
    worst = sorted(counted, key=lambda row: (-row["failed"] / row["turns"], row["model_name"]))
    return Section(
        title="Errors by model, past 24 hours",
        headers=["Model", "Turns", "Failed", "Share", "Unavailable", "Too slow"],
        rows=[
            [
                row["model_name"],
                f"{row['turns']:,}",
                f"{row['failed']:,}",
                f"{100 * row['failed'] / row['turns']:.1f} %",
                f"{row['unavailable']:,}",
                f"{row['timed_out']:,}",
            ]
            for row in worst[:MOST_ROWS]
        ],
        nothing="No turn has failed.",
        more=list_address(Turn, status__exact=TurnStatus.FAILED.value),
    )


PARTS: tuple[Part, ...] = (
    ("credits.view_accountcheck", books_that_differ),
    ("credits.view_creditrequest", open_requests),
    ("credits.view_account", credits_short),
    ("webhooks.view_endpoint", failing_webhooks),
    ("conversations.view_turn", errors_by_model),
    ("conversations.view_turn", abandoned_turns),
)
