from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.services import user_actor
from apps.chatbots import services
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_for
from apps.conversations.queries import count_turns_by_chatbot
from apps.core.ids import is_id
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.chatbots import BehaviourForm, ChatbotForm, LimitForm, NewChatbotForm
from apps.dashboard.presenters.rate_limit_text import (
    count_turns_last_day,
    describe_rate_limit,
    max_requests_per_day,
)
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

USED_WITHIN = timedelta(days=30)


@workspace_page(Permission.VIEW)
@require_safe
def chatbots(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's chatbots."""
    found = chatbots_for(member.workspace_id).select_related("language_model")
    turns = count_turns_by_chatbot(member.workspace_id, since=timezone.now() - USED_WITHIN)
    rows = [(chatbot, turns.get(chatbot.id, 0)) for chatbot in found]
    return render(request, "dashboard/chatbots.html", {"rows": rows})


@workspace_page(Permission.EDIT_CHATBOTS)
@require_http_methods(["GET", "HEAD", "POST"])
def new_chatbot(request: HttpRequest, member: Member) -> HttpResponse:
    """The least that a chatbot needs, and then its own page."""
    form = NewChatbotForm(request.POST or None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "dashboard/chatbot_new.html", {"form": form}, status=status)
    made = services.create_chatbot(
        workspace=member.workspace, actor=user_actor(member.user, request), **form.cleaned_data
    )
    messages.success(request, f"{made.name} created. Send a message to test it.")
    return redirect("dashboard:playground", member.workspace.slug, made.id)


@workspace_page(Permission.VIEW)
@require_safe
def chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """All that a chatbot is set to; for those who may, to be changed."""
    return _settings(request, member, chatbot_in(member.workspace_id, chatbot_id))


@workspace_page(Permission.EDIT_CHATBOTS)
@require_POST
def save_chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """All sections at once: what is not valid lets nothing be saved."""
    found = chatbot_in(member.workspace_id, chatbot_id)
    form = ChatbotForm(request.POST, instance=found)
    if not form.is_valid():
        # The form has put its values into the instance: the page tells what is saved.
        return _settings(request, member, chatbot_in(member.workspace_id, chatbot_id), form)
    return _saved(request, member, found, form)


@workspace_page(Permission.EDIT_CHATBOTS)
@require_POST
def save_behaviour(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """What was tried in the playground, kept."""
    found = chatbot_in(member.workspace_id, chatbot_id)
    form = BehaviourForm(request.POST, instance=found)
    if form.is_valid():
        return _saved(request, member, found, form, back="dashboard:playground")
    for name, errors in form.errors.items():
        messages.error(request, f"{form.fields[name].label}: {errors[0]}")
    return redirect("dashboard:playground", member.workspace.slug, chatbot_id)


@workspace_page(Permission.VIEW)
@require_safe
def limit(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """What a limit that is being typed would come to. A fragment."""
    found = chatbot_in(member.workspace_id, chatbot_id)
    LimitForm(request.GET, instance=found).is_valid()  # puts what is valid into the chatbot
    return render(request, "dashboard/chatbot_limit.html", _limit(found))


@workspace_page(Permission.EDIT_CHATBOTS)
@require_POST
def duplicate_chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """The same settings under another name and id."""
    found = chatbot_in(member.workspace_id, chatbot_id)
    try:
        copy = services.duplicate_chatbot(chatbot=found, actor=user_actor(member.user, request))
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
        return redirect("dashboard:chatbot", member.workspace.slug, chatbot_id)
    messages.success(request, f"{copy.name} created.")
    return redirect("dashboard:chatbot", member.workspace.slug, copy.id)


@workspace_page(Permission.DELETE_CHATBOTS)
@require_POST
def delete_chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Delete the chatbot whose name was typed."""
    found = chatbot_in(member.workspace_id, chatbot_id)
    slug = member.workspace.slug
    if request.POST.get("name", "").strip() != found.name.strip():
        messages.error(request, f"The name doesn't match. {found.name} was not deleted.")
        return redirect("dashboard:chatbot", slug, chatbot_id)
    services.delete_chatbot(chatbot=found, actor=user_actor(member.user, request))
    messages.success(request, f"{found.name} deleted.")
    return redirect("dashboard:chatbots", slug)


def chatbot_in(workspace_id: str, chatbot_id: str) -> Chatbot:
    """The workspace's chatbot, active or not. Raises Http404."""
    if not is_id(chatbot_id):  # PostgreSQL would break over a NUL rather than find nothing
        raise Http404
    found = (
        chatbots_for(workspace_id).select_related("language_model").filter(id=chatbot_id).first()
    )
    if found is None:
        raise Http404
    return found


def _settings(
    request: HttpRequest, member: Member, found: Chatbot, refused: ChatbotForm | None = None
) -> HttpResponse:
    may_edit = is_allowed(member.role, Permission.EDIT_CHATBOTS)
    form = refused or ChatbotForm(instance=found)
    if not may_edit:
        for field in form.fields.values():
            field.disabled = True
    context = {
        "chatbot": found,
        "form": form,
        "endpoint": request.build_absolute_uri(reverse("chat", args=[found.id])),
        "may_edit": may_edit,
        "may_delete": is_allowed(member.role, Permission.DELETE_CHATBOTS),
        **_limit(found),
    }
    return render(request, "dashboard/chatbot.html", context, status=422 if refused else 200)


def _limit(found: Chatbot) -> dict[str, object]:
    words = describe_rate_limit(
        requests=found.rate_limit_requests, seconds=found.rate_limit_window_seconds
    )
    return {
        "limit_words": words,
        "used": count_turns_last_day(found),
        "most_a_day": max_requests_per_day(found),
    }


def _saved(
    request: HttpRequest,
    member: Member,
    found: Chatbot,
    form: BehaviourForm,
    back: str = "dashboard:chatbot",
) -> HttpResponse:
    services.update_chatbot(
        chatbot=found, actor=user_actor(member.user, request), changes=form.changes()
    )
    names = ", ".join(str(form.fields[name].label).lower() for name in form.changed_data)
    messages.success(request, f"Saved: {names}." if names else "No changes to save.")
    return redirect(back, member.workspace.slug, found.id)
