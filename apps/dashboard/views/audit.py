from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.audit.models import AuditEntry
from apps.audit.queries import filter_entries
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.audit import AuditLogFilterForm
from apps.dashboard.list_pages import paginate
from apps.reporting.csv_download import csv_response
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

LISTS = {"changed", "fields", "scopes", "eventTypes"}
"""Details that list things, where others tell a value of before and one of after."""
COLUMNS = ("when", "who", "kind", "what", "target", "target id", "details", "address", "request")


@workspace_page(Permission.VIEW_AUDIT_LOG)
@require_safe
def audit_log(request: HttpRequest, member: Member) -> HttpResponse:
    """A page of the log, as looked for."""
    form = AuditLogFilterForm(request.GET)
    page = paginate(request, filter_entries(member.workspace_id, form.looked_for()))
    rows = [(entry, in_words(entry.details)) for entry in page.rows]
    return render(request, "dashboard/audit.html", {"form": form, "page": page, "rows": rows})


@workspace_page(Permission.VIEW_AUDIT_LOG)
@require_safe
def export(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The entries that are looked for, as CSV."""
    entries = filter_entries(member.workspace_id, AuditLogFilterForm(request.GET).looked_for())
    return csv_response(f"{member.workspace.slug}-audit-log.csv", COLUMNS, entries, _line)


def in_words(details: Mapping[str, Any]) -> str:
    """What an entry tells beside its action: a pair is a change from one value to another, but
    for what is a list however long."""
    return ", ".join(
        f"{name}: {_listed(value) if name in LISTS else _value(value)}"
        for name, value in details.items()
    )


def _listed(value: Any) -> str:
    return _and(map(str, value)) if isinstance(value, list) else _value(value)


def _value(value: Any) -> str:
    match value:
        case [before, after]:
            return f"{_value(before)} → {_value(after)}"
        case list():
            return _and(map(_value, value))
        case None | "":
            return "nothing"
    return str(value)


def _and(words: Iterable[str]) -> str:
    *others, last = [*words] or ["nothing"]
    return f"{', '.join(others)} and {last}" if others else last


def _line(entry: AuditEntry) -> tuple[object, ...]:
    return (
        entry.created_at.isoformat(timespec="seconds"),
        entry.actor_label,
        entry.get_actor_kind_display(),
        entry.action,
        entry.target_label,
        entry.target_id,
        in_words(entry.details),
        entry.ip,
        entry.request_id,
    )
