from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.chatbots.errors import ChatbotNotFound, ChatbotVersionNotFound
from apps.chatbots.models import Chatbot, ChatbotVersion
from apps.chatbots.queries import get_version, versions_for
from apps.chatbots.services import restore_version
from apps.core.ids import is_id
from apps.dashboard.access import workspace_page
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.versions import changed_settings, setting_label
from apps.dashboard.views.chatbots import chatbot_in
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

MOST_TO_COMPARE = 50
"""Versions that one can be compared with: the newest ones."""


@workspace_page(Permission.VIEW)
@require_safe
def versions(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Every change of a chatbot, newest first: who made it, when, and what it touched."""
    chatbot = chatbot_in(member.workspace_id, chatbot_id)
    page = paginate(request, versions_for(chatbot))
    rows = [(each, ", ".join(map(setting_label, each.changed))) for each in page.rows]
    context = {"chatbot": chatbot, "page": page, "rows": rows}
    return render(request, "dashboard/versions.html", context)


@workspace_page(Permission.VIEW)
@require_safe
def version(request: HttpRequest, member: Member, chatbot_id: str, version_id: str) -> HttpResponse:
    """A version beside another: `?with=` names which, and without it the one before."""
    chatbot = chatbot_in(member.workspace_id, chatbot_id)
    found = _version(chatbot, version_id)
    others = list(versions_for(chatbot).exclude(id=found.id)[:MOST_TO_COMPARE])
    if "with" in request.GET:
        other: ChatbotVersion | None = _version(chatbot, request.GET["with"])
    else:
        other = versions_for(chatbot).filter(number__lt=found.number).first()
    older, newer = sorted((other or found, found), key=lambda each: each.number)
    context = {
        "chatbot": chatbot,
        "version": found,
        "other": other,
        "others": others,
        "older": older,
        "newer": newer,
        "differences": changed_settings(older, newer),
    }
    return render(request, "dashboard/version.html", context)


@workspace_page(Permission.EDIT_CHATBOTS)
@require_POST
def restore(request: HttpRequest, member: Member, chatbot_id: str, version_id: str) -> HttpResponse:
    """Set the chatbot as it was at that version, which is a change like any other."""
    chatbot = chatbot_in(member.workspace_id, chatbot_id)
    found, before = _version(chatbot, version_id), chatbot.version
    try:
        chatbot = restore_version(
            chatbot=chatbot, version=found, actor=user_actor(member.user, request)
        )
    except ChatbotNotFound:
        raise Http404 from None
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
    else:
        same = chatbot.version == before
        restored = f"Version {found.number} restored as version {chatbot.version}."
        unchanged = "No changes: the chatbot already has these settings."
        messages.success(request, unchanged if same else restored)
    return redirect("dashboard:versions", member.workspace.slug, chatbot_id)


def _version(chatbot: Chatbot, version_id: str) -> ChatbotVersion:
    if not is_id(version_id):  # PostgreSQL would break over a NUL rather than find nothing
        raise Http404
    try:
        return get_version(chatbot, version_id)
    except ChatbotVersionNotFound:
        raise Http404 from None
