from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.api_kit.refusal_log import RETENTION, refused_requests_for
from apps.dashboard.access import workspace_page
from apps.dashboard.request_inspector import inspect_request, is_request_id
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

SHOWN = 50
"""Refusals that the list shows; any of those that are kept can be found by its id."""


@workspace_page(Permission.VIEW)
@require_safe
def requests(request: HttpRequest, member: Member) -> HttpResponse:
    """One request by its X-Request-Id, with what was decided; without one, the last refusals."""
    wanted = request.GET.get("id", "").strip()
    context = {"wanted": wanted, "days": RETENTION.days}
    if wanted:
        found = inspect_request(member.workspace_id, wanted) if is_request_id(wanted) else None
        context |= {"found": found, "is_id": is_request_id(wanted)}
    else:
        context["notes"] = [
            note for note in refused_requests_for(member.workspace_id, limit=2 * SHOWN) if note.code
        ][:SHOWN]
    return render(request, "dashboard/requests.html", context)
