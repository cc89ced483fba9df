from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.credits.models import Account, LedgerEntry
from apps.credits.queries import ledger_of
from apps.dashboard.access import workspace_page
from apps.dashboard.exporting import csv_file
from apps.dashboard.forms.credits import StatementFilterForm
from apps.dashboard.listing import listing
from apps.dashboard.months import Month
from apps.dashboard.statement import conversations_of_entries, uses
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, may

PERIODS = {"7d": timedelta(days=7), "30d": timedelta(days=30)}
COLUMNS = ("id", "time", "kind", "credits", "balance after", "turn", "reason")


@require_safe
@workspace_page(Permission.VIEW)
def credits(request: HttpRequest, member: Member) -> HttpResponse:
    """What the workspace has, where it went, and every entry of its ledger."""
    workspace_id = member.workspace_id
    period = request.GET.get("period", "")
    form = StatementFilterForm(request.GET)
    page = listing(request, ledger_of(workspace_id, **form.given()))
    places = conversations_of_entries(workspace_id, page.rows)
    context = {
        "account": Account.objects.select_related("plan").filter(pk=workspace_id).first(),
        "period": period if period in PERIODS else "30d",
        "uses": uses(workspace_id, since=timezone.now() - PERIODS.get(period, PERIODS["30d"])),
        "form": form,
        "page": page,
        "rows": [(entry, places.get(entry.turn_id or "")) for entry in page.rows],
        "month": Month.of(timezone.now()),
        "may_export": may(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/credits.html", context)


@require_safe
@workspace_page(Permission.EXPORT)
def statement(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The entries of the ledger that are looked for, as CSV."""
    found = ledger_of(member.workspace_id, **StatementFilterForm(request.GET).given())
    return csv_file(f"{member.workspace.slug}-credits.csv", COLUMNS, found, _line)


def _line(entry: LedgerEntry) -> tuple[object, ...]:
    return (
        entry.id,
        entry.created_at.isoformat(timespec="milliseconds"),
        entry.kind,
        entry.amount,
        entry.balance_after,
        entry.turn_id,
        entry.reason,
    )
