from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.audit.queries import entries_like
from apps.core.errors import ValidationFailed
from apps.core.pagination import newest_first
from apps.core.spreadsheets import to_csv
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.audit import FilterForm
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

PAGE = 50
MOST_EXPORTED = 10_000
COLUMNS = ("when", "who", "kind", "what", "target", "target id", "details", "address", "request")


@workspace_page(Permission.VIEW_AUDIT_LOG)
@require_safe
def audit_log(request: HttpRequest, member: Member) -> HttpResponse:
    """A page of the log, as looked for."""
    form = FilterForm(request.GET)
    entries = entries_like(member.workspace_id, form.looked_for())
    cursor = request.GET.get("cursor") or None
    try:
        found = newest_first(entries, cursor=cursor, limit=PAGE)
    except ValidationFailed:
        cursor, found = None, newest_first(entries, cursor=None, limit=PAGE)
    query = request.GET.copy()
    query.pop("cursor", None)
    context = {
        "form": form,
        "rows": [(entry, in_words(entry.details)) for entry in found.rows],
        "page": {
            "first_url": f"?{query.urlencode()}" if cursor else None,
            "next_url": _with(query, found.next_cursor),
        },
        "query": query.urlencode(),
        "most_exported": MOST_EXPORTED,
    }
    return render(request, "dashboard/audit.html", context)


@workspace_page(Permission.VIEW_AUDIT_LOG)
@require_safe
def export(request: HttpRequest, member: Member) -> HttpResponse:
    """The newest 10,000 entries that are looked for, as CSV."""
    entries = entries_like(member.workspace_id, FilterForm(request.GET).looked_for())
    rows = (
        (
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
        for entry in entries[:MOST_EXPORTED]
    )
    name = f"{member.workspace.slug}-audit-log.csv"
    return HttpResponse(
        to_csv(COLUMNS, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def in_words(details: Mapping[str, Any]) -> str:
    """What an entry tells beside its action; a pair is a change from one value to another."""
    return ", ".join(f"{name}: {_value(value)}" for name, value in details.items())


def _value(value: Any) -> str:
    match value:
        case [before, after]:
            return f"{_value(before)} → {_value(after)}"
        case list():
            return " and ".join(map(_value, value))
        case None | "":
            return "nothing"
    return str(value)


def _with(query: QueryDict, cursor: str | None) -> str | None:
    """The address of the page that begins at the cursor."""
    return f"?{urlencode({**query.dict(), 'cursor': cursor})}" if cursor else None
