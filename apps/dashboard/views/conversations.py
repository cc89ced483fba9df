from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.audit.services import user_actor
from apps.conversations.annotations import edit_conversation, rate_answer, remove_rating
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import ConversationBusy, MessageNotAnAnswer
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Conversation, RatingValue
from apps.conversations.queries import conversations_for
from apps.conversations.summaries import display_name, load_summaries, with_summary_fields
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.conversations import (
    ConversationFilterForm,
    ConversationForm,
    RatingForm,
)
from apps.dashboard.list_pages import FilteredList, paginate
from apps.dashboard.presenters.conversations import build_exchanges, turns_for
from apps.leads.queries import leads_for
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

TURNS_PER_PAGE = 30
MAX_LEADS = 3
"""Leads that a conversation's page links to."""


def _conversations(workspace_id: str, **filters: Any) -> QuerySet[Conversation]:
    found = filter_conversations(workspace_id, **filters).select_related("chatbot")
    return with_summary_fields(found)


CONVERSATIONS = FilteredList(
    form_class=ConversationFilterForm, query=_conversations, order_field="sort_time"
)


@require_safe
@workspace_page(Permission.VIEW)
def conversations(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's conversations, by their last message, newest first."""
    form, page = CONVERSATIONS.load_page(request, member)
    context = {
        "form": form,
        "page": page,
        "rows": load_summaries(page.rows),
        "export_fields": [(name, request.GET.get(name, "")) for name in form.fields],
        "may_export": is_allowed(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/conversations.html", context)


@require_safe
@workspace_page(Permission.VIEW)
def conversation(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """A conversation's turns, newest page first. The newest page is updated live."""
    thread = _get_conversation(member, conversation_id)
    return _render(request, member, thread, ConversationForm(thread))


def _render(
    request: HttpRequest,
    member: Member,
    thread: Conversation,
    form: ConversationForm,
    *,
    status: int = 200,
) -> HttpResponse:
    may_edit = is_allowed(member.role, Permission.EDIT_CONVERSATIONS)
    may_delete = is_allowed(member.role, Permission.DELETE_CONVERSATIONS)
    for field in form.fields.values():
        field.disabled = not may_edit
    page = paginate(request, turns_for(thread), limit=TURNS_PER_PAGE)
    exchanges = build_exchanges(page.rows[::-1])
    shown = [m for each in exchanges for m in (each.user_message, each.assistant_message) if m]
    context = {
        "thread": thread,
        "form": form,
        "may_edit": may_edit,
        "may_delete": may_delete,
        "leads": leads_for(member.workspace_id).filter(conversation=thread)[:MAX_LEADS],
        "page": page,
        "exchanges": exchanges,
        "name": display_name(thread),
        "is_newest": page.first_url is None,
        "last_message_id": shown[-1].id if shown else "",
    }
    return render(request, "dashboard/conversation.html", context, status=status)


@workspace_action(Permission.EDIT_CONVERSATIONS)
def edit(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """Edit a conversation's title and note."""
    thread = _get_conversation(member, conversation_id)
    form = ConversationForm(thread, request.POST)
    if not form.is_valid():
        return _render(request, member, thread, form, status=422)
    edit_conversation(
        workspace_id=member.workspace_id,
        conversation_id=thread.id,
        actor=user_actor(member.user, request),
        **form.cleaned_data,
    )
    messages.success(request, "Changes saved.")
    return redirect("dashboard:conversation", member.workspace.slug, thread.id)


@workspace_action(Permission.EDIT_CONVERSATIONS)
def rate(
    request: HttpRequest, member: Member, conversation_id: str, message_id: str
) -> HttpResponse:
    """Rate an answer, change its rating, or remove it."""
    form = RatingForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Comments can have at most 1,000 characters.", status=422)
    thread = _get_conversation(member, conversation_id)
    message = {
        "workspace_id": member.workspace_id,
        "conversation_id": thread.id,
        "message_id": message_id,
    }
    value, comment = form.cleaned_data["rating"], form.cleaned_data["comment"]
    try:
        if value:
            answer = rate_answer(
                **message,
                value=RatingValue(value),
                comment=comment,
                actor=user_actor(member.user, request),
            )
        else:
            answer = remove_rating(**message)
    except MessageNotAnAnswer:
        raise Http404 from None
    messages.success(request, "Rating saved." if value else "Rating removed.")
    if "HX-Request" not in request.headers:
        url = reverse("dashboard:conversation", args=[member.workspace.slug, thread.id])
        return redirect(f"{url}#message-{answer.id}")
    context = {"thread": thread, "answer": answer, "rating": getattr(answer, "rating", None)}
    return render(request, "dashboard/rated.html", context)


@workspace_action(Permission.DELETE_CONVERSATIONS)
def delete(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """Delete a conversation permanently."""
    thread = _get_conversation(member, conversation_id)
    try:
        delete_conversation(
            workspace_id=member.workspace_id,
            conversation_id=thread.id,
            actor=user_actor(member.user, request),
        )
    except ConversationBusy as error:
        messages.error(request, error.message)
        return redirect("dashboard:conversation", member.workspace.slug, thread.id)
    messages.success(request, "Conversation deleted.")
    return redirect("dashboard:conversations", member.workspace.slug)


@require_safe
@workspace_page(Permission.VIEW)
def turn(request: HttpRequest, member: Member, conversation_id: str, turn_id: str) -> HttpResponse:
    """One turn, as a fragment of its conversation's page."""
    thread = _get_conversation(member, conversation_id)
    turn = get_object_or_404(turns_for(thread), id=turn_id)
    context = {"thread": thread, "exchange": build_exchanges([turn])[0]}
    return render(request, "dashboard/turn.html", context)


def _get_conversation(member: Member, conversation_id: str) -> Conversation:
    found = conversations_for(member.workspace_id).select_related("chatbot")
    return get_object_or_404(found, id=conversation_id)
