from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from apps.audit.models import AuditEntry
from apps.audit.queries import AuditFilters, filter_entries
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.audit import AuditLogFilterForm
from apps.dashboard.list_pages import FilteredList
from apps.dashboard.presenters.audit import describe_details
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission


def _entries(workspace_id: str, **filters: Any) -> QuerySet[AuditEntry]:
    return filter_entries(workspace_id, AuditFilters(**filters))


AUDIT_LOG = FilteredList(
    form_class=AuditLogFilterForm,
    query=_entries,
    csv_name="audit-log",
    csv_columns={
        "when": lambda entry: entry.created_at.isoformat(timespec="seconds"),
        "who": lambda entry: entry.actor_label,
        "kind": lambda entry: entry.get_actor_kind_display(),
        "what": lambda entry: entry.action,
        "target": lambda entry: entry.target_label,
        "target id": lambda entry: entry.target_id,
        "details": lambda entry: describe_details(entry.details),
        "address": lambda entry: entry.ip,
        "request": lambda entry: entry.request_id,
    },
)


@workspace_page(Permission.VIEW_AUDIT_LOG)
def audit_log(request: HttpRequest, member: Member) -> HttpResponse:
    """The audit log, filtered."""
    form, page = AUDIT_LOG.load_page(request, member)
    rows = [(entry, describe_details(entry.details)) for entry in page.rows]
    return render(request, "dashboard/audit.html", {"form": form, "page": page, "rows": rows})


@workspace_page(Permission.VIEW_AUDIT_LOG)
def export(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The filtered audit log as CSV."""
    return AUDIT_LOG.csv_response(request, member)
