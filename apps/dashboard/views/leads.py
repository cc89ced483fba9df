from __future__ import annotations

import json

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.core.errors import ValidationFailed
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.leads import LeadFilterForm, LeadForm, LeadStatusForm
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.leads import STATUS_CHOICES, pipeline_stages, source_messages
from apps.leads.errors import LeadEmailTaken, LeadNotFound
from apps.leads.models import Lead
from apps.leads.queries import get_lead, leads_for
from apps.leads.services import delete_lead, update_lead
from apps.reporting.csv_download import csv_response
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

COLUMNS = ("id", "name", "email", "phone", "status", "source", "chatbot", "conversation", "created")


@workspace_page(Permission.VIEW)
@require_safe
def leads(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's leads, newest first, and how many stand at each step."""
    form = LeadFilterForm(member.workspace_id, request.GET)
    given = form.given()
    found = leads_for(member.workspace_id, **given).select_related("chatbot")
    context = {
        "form": form,
        "page": paginate(request, found),
        "pipeline": pipeline_stages(member.workspace_id),
        "status": given.get("status", ""),
        "statuses": STATUS_CHOICES,
        "may_edit": is_allowed(member.role, Permission.EDIT_LEADS),
        "may_export": is_allowed(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/leads.html", context)


@workspace_page(Permission.EXPORT)
@require_safe
def export(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The leads that are looked for, as CSV."""
    form = LeadFilterForm(member.workspace_id, request.GET)
    found = leads_for(member.workspace_id, **form.given()).select_related("chatbot")
    return csv_response(f"{member.workspace.slug}-leads.csv", COLUMNS, found, _line)


@workspace_page(Permission.VIEW)
@require_safe
def lead(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """One lead: what is known, and the messages in which it was said."""
    found = _lead(member, lead_id)
    return _page(request, member, found, LeadForm(found))


@workspace_page(Permission.EDIT_LEADS)
@require_POST
def edit(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """Change what is known of a lead."""
    found = _lead(member, lead_id)
    form = LeadForm(found, request.POST)
    if form.is_valid():
        try:
            update_lead(
                workspace_id=member.workspace_id,
                lead_id=found.id,
                fields=form.lead_fields(),
                actor=user_actor(member.user, request),
            )
        except LeadNotFound:
            raise Http404 from None
        except LeadEmailTaken as refusal:
            form.add_error("email", refusal.message)
        except ValidationFailed as refusal:
            for name, sentences in refusal.details.items():
                form.add_error(name if name in form.fields else None, list(sentences))
        else:
            messages.success(request, "Changes saved.")
            return redirect("dashboard:lead", member.workspace.slug, found.id)
    return _page(request, member, found, form, status=422)


@workspace_page(Permission.EDIT_LEADS)
@require_POST
def move(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """Put a lead at another step of the pipeline, from where it is listed."""
    form = LeadStatusForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Unknown status.", status=422)
    try:
        found = update_lead(
            workspace_id=member.workspace_id,
            lead_id=_lead(member, lead_id).id,
            fields={"status": form.cleaned_data["status"]},
            actor=user_actor(member.user, request),
        )
    except LeadNotFound:
        raise Http404 from None
    messages.success(request, f"{found} is now {found.get_status_display().lower()}.")
    if "HX-Request" not in request.headers:
        return redirect("dashboard:leads", member.workspace.slug)
    context = {
        "pipeline": pipeline_stages(member.workspace_id),
        "status": request.GET.get("status"),
    }
    return render(request, "dashboard/leads_moved.html", context)


@workspace_page(Permission.EDIT_LEADS)
@require_POST
def delete(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """Delete a lead; its conversation stays."""
    found = _lead(member, lead_id)
    try:
        delete_lead(
            workspace_id=member.workspace_id,
            lead_id=found.id,
            actor=user_actor(member.user, request),
        )
    except LeadNotFound:
        raise Http404 from None
    messages.success(request, f"{found} deleted.")
    return redirect("dashboard:leads", member.workspace.slug)


def _page(
    request: HttpRequest, member: Member, found: Lead, form: LeadForm, *, status: int = 200
) -> HttpResponse:
    may_edit = is_allowed(member.role, Permission.EDIT_LEADS)
    for field in form.fields.values():
        field.disabled = not may_edit
    context = {
        "lead": found,
        "form": form,
        "said": source_messages(found),
        "metadata": json.dumps(found.metadata, ensure_ascii=False, indent=2),
        "may_edit": may_edit,
    }
    return render(request, "dashboard/lead.html", context, status=status)


def _lead(member: Member, lead_id: str) -> Lead:
    try:
        return get_lead(member.workspace_id, lead_id)
    except LeadNotFound:
        raise Http404 from None


def _line(lead: Lead) -> tuple[object, ...]:
    return (
        lead.id,
        lead.name,
        lead.email,
        lead.phone,
        lead.status,
        lead.source,
        lead.chatbot.name,
        lead.conversation_id,
        lead.created_at.isoformat(timespec="seconds"),
    )
