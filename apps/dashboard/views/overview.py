from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.credits.queries import balance_for
from apps.dashboard.access import workspace_page
from apps.reporting.overview import (
    PERIODS,
    count_active_users,
    count_errors_by_code,
    days_until_empty,
    describe_change,
    summary,
    turns_over_time,
)
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

PERIOD_NAMES = {"today": "24 hours", "7d": "7 days", "30d": "30 days"}
YEAR = 365
"""Days. The page gives no date for credits that last longer."""


@require_safe
@workspace_page(Permission.VIEW)
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    """Figures of the last 24 hours, 7 days or 30 days."""
    period = request.GET.get("period", "")
    period = period if period in PERIODS else "7d"
    over = PERIODS[period]
    until = timezone.now()
    since = until - over
    workspace_id = member.workspace_id
    now = summary(workspace_id, since=since, until=until)
    before = summary(workspace_id, since=since - over, until=since)
    left = days_until_empty(
        balance=balance_for(workspace_id).balance, credits=now.credits, period=over
    )
    context = {
        "period": period,
        "now": now,
        "active_users": count_active_users(workspace_id, since=since, until=until),
        "before": before,
        "changes": {
            "messages": describe_change(now.messages, before.messages, period=PERIOD_NAMES[period]),
            "conversations": describe_change(
                now.conversations, before.conversations, period=PERIOD_NAMES[period]
            ),
        },
        "buckets": turns_over_time(workspace_id, since=since, until=until),
        "errors": count_errors_by_code(workspace_id, since=since, until=until),
        "days_left": left,
        "runs_out_on": until + timedelta(days=left) if left is not None and left <= YEAR else None,
    }
    return render(request, "dashboard/overview.html", context)


@require_safe
@workspace_page(Permission.VIEW)
def live(request: HttpRequest, member: Member) -> HttpResponse:
    """The sidebar's live figures: running turns and remaining credits."""
    return render(request, "dashboard/live.html")
