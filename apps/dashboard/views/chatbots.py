from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_of
from apps.dashboard.access import workspace_page
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission


@require_safe
@workspace_page(Permission.VIEW)
def chatbots(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's chatbots."""
    found = chatbots_of(member.workspace_id).select_related("language_model")
    return render(request, "dashboard/chatbots.html", {"chatbots": found})


@require_safe
@workspace_page(Permission.VIEW)
def chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """One chatbot and what it is set to."""
    return render(
        request, "dashboard/chatbot.html", {"chatbot": chatbot_in(member.workspace_id, chatbot_id)}
    )


def chatbot_in(workspace_id: str, chatbot_id: str) -> Chatbot:
    """The workspace's chatbot, active or not. Raises Http404."""
    found = chatbots_of(workspace_id).select_related("language_model").filter(id=chatbot_id).first()
    if found is None:
        raise Http404
    return found
