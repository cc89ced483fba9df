from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.chatbots.models import ChatbotVersion
from apps.chatbots.queries import get_version, versions_for
from apps.chatbots.services import restore_version
from apps.dashboard.access import clean_id, get_chatbot_or_404, workspace_action, workspace_page
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.versions import changed_settings, setting_label
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

MAX_COMPARABLE_VERSIONS = 50
"""The newest versions, which the page offers for comparison."""


@workspace_page(Permission.VIEW)
def versions(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """A chatbot's versions, newest first: author, time and changed settings."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    page = paginate(request, versions_for(chatbot))
    rows = [(each, ", ".join(map(setting_label, each.changed))) for each in page.rows]
    context = {"chatbot": chatbot, "page": page, "rows": rows}
    return render(request, "dashboard/versions.html", context)


@workspace_page(Permission.VIEW)
def version(request: HttpRequest, member: Member, chatbot_id: str, version_id: str) -> HttpResponse:
    """A version compared with `?with=`, by default with the one before."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    found = get_version(chatbot, version_id)
    others = list(versions_for(chatbot).exclude(id=found.id)[:MAX_COMPARABLE_VERSIONS])
    if "with" in request.GET:
        other: ChatbotVersion | None = get_version(chatbot, clean_id(request.GET["with"]))
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


@workspace_action(Permission.EDIT_CHATBOTS)
def restore(request: HttpRequest, member: Member, chatbot_id: str, version_id: str) -> HttpResponse:
    """Restore a version's settings as a new version."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    found, before = get_version(chatbot, version_id), chatbot.version
    try:
        chatbot = restore_version(
            chatbot=chatbot, version=found, actor=user_actor(member.user, request)
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        same = chatbot.version == before
        restored = f"Version {found.number} restored as version {chatbot.version}."
        unchanged = "No changes: the chatbot already has these settings."
        messages.success(request, unchanged if same else restored)
    return redirect("dashboard:versions", member.workspace.slug, chatbot_id)
