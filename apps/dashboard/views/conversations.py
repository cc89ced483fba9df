from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.conversations.annotations import clear_rating, edit_conversation, rate_answer
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import (
    ConversationBusy,
    ConversationNotFound,
    MessageNotAnAnswer,
    MessageNotFound,
)
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Conversation, RatingValue
from apps.conversations.summaries import display_name, load_summaries, with_summary_fields
from apps.core.ids import NIL_ID, is_id
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.conversations import (
    ConversationFilterForm,
    ConversationForm,
    RatingForm,
)
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.conversations import build_exchanges, conversation_in, turns_for
from apps.leads.queries import leads_for
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

TURNS = 30
"""Turns of a thread that are shown at a time."""
MOST_LEADS = 3
"""Leads that a thread names: who is in several conversations is linked from the first."""


@require_safe
@workspace_page(Permission.VIEW)
def conversations(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's conversations, those with the newest message first."""
    form = ConversationFilterForm(member.workspace_id, request.GET)
    given = form.given()
    found = filter_conversations(member.workspace_id, **given).select_related("chatbot")
    page = paginate(request, with_summary_fields(found), order_field="sort_time")
    context = {
        "form": form,
        "page": page,
        "rows": load_summaries(page.rows),
        "exported": [(name, request.GET.get(name, "")) for name in form.fields],
        "may_export": is_allowed(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/conversations.html", context)


@require_safe
@workspace_page(Permission.VIEW)
def conversation(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """A thread, turn by turn, from the newest turns back; the newest ones are live."""
    thread = _conversation(member, conversation_id)
    return _page(request, member, thread, ConversationForm(thread))


def _page(
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
    page = paginate(request, turns_for(thread), limit=TURNS)
    exchanges = build_exchanges(page.rows[::-1])
    said = [
        line for each in exchanges for line in (each.user_message, each.assistant_message) if line
    ]
    context = {
        "thread": thread,
        "form": form,
        "may_edit": may_edit,
        "may_delete": may_delete,
        "leads": leads_for(member.workspace_id).filter(conversation=thread)[:MOST_LEADS],
        "page": page,
        "exchanges": exchanges,
        "name": display_name(thread),
        "is_newest": page.first_url is None,
        "last_message_id": said[-1].id if said else "",
    }
    return render(request, "dashboard/conversation.html", context, status=status)


@workspace_page(Permission.EDIT_CONVERSATIONS)
@require_POST
def edit(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """Give a conversation its title and note."""
    thread = _conversation(member, conversation_id)
    form = ConversationForm(thread, request.POST)
    if not form.is_valid():
        return _page(request, member, thread, form, status=422)
    try:
        edit_conversation(
            workspace_id=member.workspace_id,
            conversation_id=thread.id,
            actor=user_actor(member.user, request),
            **form.cleaned_data,
        )
    except ConversationNotFound:
        raise Http404 from None
    messages.success(request, "Changes saved.")
    return redirect("dashboard:conversation", member.workspace.slug, thread.id)


@workspace_page(Permission.EDIT_CONVERSATIONS)
@require_POST
def rate(
    request: HttpRequest, member: Member, conversation_id: str, message_id: str
) -> HttpResponse:
    """Rate an answer, rate it anew, or take its rating away."""
    form = RatingForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Comments can have at most 1,000 characters.", status=422)
    thread = _conversation(member, conversation_id)
    place = {
        "workspace_id": member.workspace_id,
        "conversation_id": thread.id,
        "message_id": message_id if is_id(message_id) else NIL_ID,
    }
    value, comment = form.cleaned_data["rating"], form.cleaned_data["comment"]
    try:
        if value:
            answer = rate_answer(
                **place,
                value=RatingValue(value),
                comment=comment,
                actor=user_actor(member.user, request),
            )
        else:
            answer = clear_rating(**place)
    except (ConversationNotFound, MessageNotFound, MessageNotAnAnswer):
        raise Http404 from None
    messages.success(request, "Rating saved." if value else "Rating removed.")
    if "HX-Request" not in request.headers:
        url = reverse("dashboard:conversation", args=[member.workspace.slug, thread.id])
        return redirect(f"{url}#message-{answer.id}")
    context = {"thread": thread, "answer": answer, "rating": getattr(answer, "rating", None)}
    return render(request, "dashboard/rated.html", context)


@workspace_page(Permission.DELETE_CONVERSATIONS)
@require_POST
def delete(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """Delete a conversation for good."""
    thread = _conversation(member, conversation_id)
    try:
        delete_conversation(
            workspace_id=member.workspace_id,
            conversation_id=thread.id,
            actor=user_actor(member.user, request),
        )
    except ConversationNotFound:
        raise Http404 from None
    except ConversationBusy as refusal:
        messages.error(request, refusal.message)
        return redirect("dashboard:conversation", member.workspace.slug, thread.id)
    messages.success(request, "Conversation deleted.")
    return redirect("dashboard:conversations", member.workspace.slug)


@require_safe
@workspace_page(Permission.VIEW)
def turn(request: HttpRequest, member: Member, conversation_id: str, turn_id: str) -> HttpResponse:
    """One turn of a thread by itself, as it is now."""
    thread = _conversation(member, conversation_id)
    turns = turns_for(thread)
    found = turns.filter(id=turn_id).first() if is_id(turn_id) else None
    if found is None:
        raise Http404
    context = {"thread": thread, "exchange": build_exchanges([found])[0]}
    return render(request, "dashboard/turn.html", context)


def _conversation(member: Member, conversation_id: str) -> Conversation:
    found = conversation_in(member.workspace_id, conversation_id)
    if found is None:
        raise Http404
    return found
