from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.audit.services import user_actor
from apps.chatbots import services
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_for
from apps.conversations.queries import count_turns_by_chatbot
from apps.dashboard.access import get_chatbot_or_404, workspace_action, workspace_page
from apps.dashboard.forms.chatbots import BehaviourForm, ChatbotForm, NewChatbotForm, RateLimitForm
from apps.dashboard.presenters.rate_limit_text import (
    count_turns_last_day,
    describe_rate_limit,
    max_requests_per_day,
)
from apps.knowledge.queries import knowledge_bases_of
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

USAGE_PERIOD = timedelta(days=30)


@workspace_page(Permission.VIEW)
def chatbots(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's chatbots with their recent turns."""
    chatbots = chatbots_for(member.workspace_id).select_related("language_model")
    turns = count_turns_by_chatbot(member.workspace_id, since=timezone.now() - USAGE_PERIOD)
    rows = [(chatbot, turns.get(chatbot.id, 0)) for chatbot in chatbots]
    return render(request, "dashboard/chatbots.html", {"rows": rows})


@workspace_page(Permission.EDIT_CHATBOTS, methods=("GET", "HEAD", "POST"))
def new_chatbot(request: HttpRequest, member: Member) -> HttpResponse:
    """Create a chatbot and open its playground."""
    form = NewChatbotForm(request.POST or None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "dashboard/chatbot_new.html", {"form": form}, status=status)
    try:
        chatbot = services.create_chatbot(
            workspace=member.workspace, actor=user_actor(member.user, request), **form.cleaned_data
        )
    except LimitReached as error:
        form.add_error("name", error.message)
        return render(request, "dashboard/chatbot_new.html", {"form": form}, status=422)
    messages.success(request, f"{chatbot.name} created. Send a message to test it.")
    return redirect("dashboard:playground", member.workspace.slug, chatbot.id)


@workspace_page(Permission.VIEW)
def chatbot_page(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """A chatbot's settings, read-only without the permission to edit."""
    return _render(request, member, get_chatbot_or_404(member, chatbot_id))


@workspace_action(Permission.EDIT_CHATBOTS)
def save_chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Save all sections, or nothing if one is invalid."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    form = ChatbotForm(request.POST, instance=chatbot)
    if not form.is_valid():
        # Validation changed the instance; the page shows the saved chatbot.
        return _render(request, member, get_chatbot_or_404(member, chatbot_id), form)
    return _save(request, member, chatbot, form)


@workspace_action(Permission.EDIT_CHATBOTS)
def save_behaviour(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Save the settings that were changed in the playground."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    form = BehaviourForm(request.POST, instance=chatbot)
    if form.is_valid():
        return _save(request, member, chatbot, form, next_page="dashboard:playground")
    for name, errors in form.errors.items():
        messages.error(request, f"{form.fields[name].label}: {errors[0]}")
    return redirect("dashboard:playground", member.workspace.slug, chatbot_id)


@workspace_page(Permission.VIEW)
def preview_rate_limit(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Preview a rate limit while it is typed. A fragment."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    RateLimitForm(request.GET, instance=chatbot).is_valid()  # sets the valid fields of the chatbot
    return render(request, "dashboard/chatbot_limit.html", _rate_limit_context(chatbot))


@workspace_action(Permission.EDIT_CHATBOTS)
def duplicate_chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Create a chatbot with the same settings and knowledge bases."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    actor = user_actor(member.user, request)
    try:
        with transaction.atomic():  # both or nothing
            copy = services.duplicate_chatbot(chatbot=chatbot, actor=actor)
            base_ids = [base.id for base in knowledge_bases_of(chatbot)]
            set_chatbot_knowledge_bases(chatbot=copy, base_ids=base_ids, actor=actor)
    except (ValidationError, LimitReached) as error:
        text = " ".join(error.messages) if isinstance(error, ValidationError) else error.message
        messages.error(request, text)
        return redirect("dashboard:chatbot", member.workspace.slug, chatbot_id)
    messages.success(request, f"{copy.name} created.")
    return redirect("dashboard:chatbot", member.workspace.slug, copy.id)


@workspace_action(Permission.DELETE_CHATBOTS)
def delete_chatbot(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Delete the chatbot, if its name was typed."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    slug = member.workspace.slug
    if request.POST.get("name", "").strip() != chatbot.name.strip():
        messages.error(request, f"The name doesn't match. {chatbot.name} was not deleted.")
        return redirect("dashboard:chatbot", slug, chatbot_id)
    services.delete_chatbot(chatbot=chatbot, actor=user_actor(member.user, request))
    messages.success(request, f"{chatbot.name} deleted.")
    return redirect("dashboard:chatbots", slug)


def _render(
    request: HttpRequest, member: Member, chatbot: Chatbot, invalid_form: ChatbotForm | None = None
) -> HttpResponse:
    may_edit = is_allowed(member.role, Permission.EDIT_CHATBOTS)
    form = invalid_form or ChatbotForm(instance=chatbot)
    if not may_edit:
        for field in form.fields.values():
            field.disabled = True
    context = {
        "chatbot": chatbot,
        "form": form,
        "endpoint": request.build_absolute_uri(reverse("chat", args=[chatbot.id])),
        "may_edit": may_edit,
        "may_delete": is_allowed(member.role, Permission.DELETE_CHATBOTS),
        **_rate_limit_context(chatbot),
    }
    return render(request, "dashboard/chatbot.html", context, status=422 if invalid_form else 200)


def _rate_limit_context(chatbot: Chatbot) -> dict[str, object]:
    return {
        "limit_text": describe_rate_limit(
            requests=chatbot.rate_limit_requests, seconds=chatbot.rate_limit_window_seconds
        ),
        "turns_last_day": count_turns_last_day(chatbot),
        "max_per_day": max_requests_per_day(chatbot),
    }


def _save(
    request: HttpRequest,
    member: Member,
    chatbot: Chatbot,
    form: BehaviourForm,
    next_page: str = "dashboard:chatbot",
) -> HttpResponse:
    services.update_chatbot(
        chatbot=chatbot, actor=user_actor(member.user, request), changes=form.changes()
    )
    names = ", ".join(str(form.fields[name].label).lower() for name in form.changed_data)
    messages.success(request, f"Saved: {names}." if names else "No changes to save.")
    return redirect(next_page, member.workspace.slug, chatbot.id)
