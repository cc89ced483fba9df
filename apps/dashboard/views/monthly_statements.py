from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.dashboard.access import workspace_page
from apps.reporting.monthly_statements import build_statement, months_for
from apps.reporting.months import Month
from apps.reporting.statement_csv import statement_csv_response
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@require_safe
@workspace_page(Permission.VIEW)
def month(request: HttpRequest, member: Member, month: str) -> HttpResponse:
    """A monthly statement, to read or print."""
    named = _named(month)
    months = months_for(member.workspace_id)
    context = {
        "statement": build_statement(member.workspace_id, named),
        "month": named,
        "is_running": named == months[0],
        "months": months,
        "may_export": is_allowed(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/month.html", context)


@require_safe
@workspace_page(Permission.EXPORT)
def month_csv(request: HttpRequest, member: Member, month: str) -> StreamingHttpResponse:
    """Every line of the month as CSV, between its two balances."""
    return statement_csv_response(member.workspace, _named(month))


def _named(month: str) -> Month:
    try:
        return Month.parse(month)
    except ValueError as error:
        raise Http404 from error
