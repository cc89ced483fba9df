"""Admin pages that combine several apps."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from apps.credits.models import Statement
from apps.infrastructure.admin import ReadOnlyAdmin, detail_action
from apps.reporting.monthly_statements import build_statement, months_for
from apps.reporting.months import Month
from apps.reporting.statement_csv import statement_csv_response
from apps.staff.statement_tables import statement_sections


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin):
    """Monthly statements of each workspace."""

    actions_detail = ["month"]
    list_display = ["workspace", "plan", "balance", "held"]
    list_select_related = ["workspace", "plan"]
    list_filter = ["plan"]
    search_fields = ["workspace__slug", "workspace__name", "=workspace__id"]
    fields = ["workspace", "plan", "balance", "held"]

    @detail_action(description="Monthly statements", permission="month", icon="receipt_long")
    def month(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        account = self.get_object_or_404(request, object_id)
        months = months_for(account.pk)
        try:
            month = Month.parse(request.GET.get("month", str(months[0])))
        except ValueError as error:
            raise Http404 from error
        if request.GET.get("format") == "csv":
            return statement_csv_response(account.workspace, month)
        return self.render_page(
            request,
            "credits/month",
            f"{account.workspace}: statement for {month.title}",
            month=month,
            months=months,
            csv_address=f"?month={month}&format=csv",
            sections=statement_sections(build_statement(account.pk, month)),
        )

    def has_month_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.view_statement")
