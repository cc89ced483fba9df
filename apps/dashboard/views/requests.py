from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.api_kit.refusal_log import RETENTION, refused_requests_for
from apps.dashboard.access import workspace_page
from apps.dashboard.request_inspector import inspect_request, is_request_id
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

MAX_LISTED = 50
"""Refused requests in the list. Older ones can be found by their id."""


@workspace_page(Permission.VIEW)
def requests(request: HttpRequest, member: Member) -> HttpResponse:
    """The report on the request `?id=`; without an id, the latest refused requests."""
    request_id = request.GET.get("id", "").strip()
    context: dict[str, Any] = {"request_id": request_id, "days": RETENTION.days}
    if request_id:
        context["is_id"] = is_request_id(request_id)
        if context["is_id"]:
            context["report"] = inspect_request(member.workspace_id, request_id)
    else:
        latest = refused_requests_for(member.workspace_id, limit=2 * MAX_LISTED)
        context["refused_requests"] = [each for each in latest if each.code][:MAX_LISTED]
    return render(request, "dashboard/requests.html", context)
