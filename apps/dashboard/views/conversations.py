from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.conversations.models import Conversation
from apps.core.ids import is_id
from apps.dashboard.access import workspace_page
from apps.dashboard.conversations import (
    conversation_in,
    conversations_of,
    exchanges_of,
    rows_of,
    turns_of,
    with_beginnings,
)
from apps.dashboard.forms.conversations import ConversationFilterForm
from apps.dashboard.listing import listing
from apps.leads.queries import leads_of
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, may

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
    found = conversations_of(member.workspace_id, **given)
    page = listing(request, with_beginnings(found), by="last_message_at")
    context = {
        "form": form,
        "page": page,
        "rows": rows_of(page.rows),
        "exported": [(name, request.GET.get(name, "")) for name in form.fields],
        "exports_more": bool(given.keys() - {"chatbot_id", "since", "before"}),
        "may_export": may(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/conversations.html", context)


@require_safe
@workspace_page(Permission.VIEW)
def conversation(request: HttpRequest, member: Member, conversation_id: str) -> HttpResponse:
    """A thread, turn by turn, from the newest turns back; the newest ones are live."""
    thread = _conversation(member, conversation_id)
    page = listing(request, turns_of(thread), limit=TURNS)
    exchanges = exchanges_of(page.rows[::-1])
    said = [line for each in exchanges for line in (each.said, each.answer) if line]
    context = {
        "thread": thread,
        "leads": leads_of(member.workspace_id).filter(conversation=thread)[:MOST_LEADS],
        "page": page,
        "exchanges": exchanges,
        "is_newest": page.first_url is None,
        "last_message_id": said[-1].id if said else "",
    }
    return render(request, "dashboard/conversation.html", context)


@require_safe
@workspace_page(Permission.VIEW)
def turn(request: HttpRequest, member: Member, conversation_id: str, turn_id: str) -> HttpResponse:
    """One turn of a thread by itself, as it is now."""
    turns = turns_of(_conversation(member, conversation_id))
    found = turns.filter(id=turn_id).first() if is_id(turn_id) else None
    if found is None:
        raise Http404
    context = {"exchange": exchanges_of([found])[0]}
    return render(request, "dashboard/turn.html", context)


def _conversation(member: Member, conversation_id: str) -> Conversation:
    found = conversation_in(member.workspace_id, conversation_id)
    if found is None:
        raise Http404
    return found
