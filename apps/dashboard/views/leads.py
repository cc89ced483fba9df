import json
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.core.errors import ValidationFailed
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.fields import add_api_errors
from apps.dashboard.forms.leads import STATUS_CHOICES, LeadFilterForm, LeadForm, LeadStatusForm
from apps.dashboard.list_pages import FilteredList
from apps.dashboard.presenters.leads import pipeline_stages, source_messages
from apps.leads.errors import LeadEmailTaken
from apps.leads.models import Lead
from apps.leads.queries import get_lead, leads_for
from apps.leads.services import delete_lead, update_lead
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


def _leads(workspace_id: str, **filters: Any) -> QuerySet[Lead]:
    return leads_for(workspace_id, **filters).select_related("chatbot")


LEADS = FilteredList(
    form_class=LeadFilterForm,
    query=_leads,
    csv_name="leads",
    csv_columns={
        "id": lambda lead: lead.id,
        "name": lambda lead: lead.name,
        "email": lambda lead: lead.email,
        "phone": lambda lead: lead.phone,
        "status": lambda lead: lead.status,
        "source": lambda lead: lead.source,
        "chatbot": lambda lead: lead.chatbot.name,
        "conversation": lambda lead: lead.conversation_id,
        "created": lambda lead: lead.created_at.isoformat(timespec="seconds"),
    },
)


@workspace_page(Permission.VIEW)
def leads(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's leads, newest first, below the counts of each pipeline stage."""
    form, page = LEADS.load_page(request, member)
    context = {
        "form": form,
        "page": page,
        "pipeline": pipeline_stages(member.workspace_id),
        "status": form.filters().get("status", ""),
        "statuses": STATUS_CHOICES,
        "may_edit": is_allowed(member.role, Permission.EDIT_LEADS),
        "may_export": is_allowed(member.role, Permission.EXPORT),
    }
    return render(request, "dashboard/leads.html", context)


@workspace_page(Permission.EXPORT)
def export(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The filtered leads as CSV."""
    return LEADS.csv_response(request, member)


@workspace_page(Permission.VIEW)
def lead_page(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """One lead, with the messages that it was captured from."""
    lead = get_lead(member.workspace_id, lead_id)
    return _render(request, member, lead, LeadForm(lead))


@workspace_action(Permission.EDIT_LEADS)
def edit(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """Edit a lead."""
    lead = get_lead(member.workspace_id, lead_id)
    form = LeadForm(lead, request.POST)
    if form.is_valid():
        try:
            update_lead(
                workspace_id=member.workspace_id,
                lead_id=lead.id,
                fields=form.lead_fields(),
                actor=user_actor(member.user, request),
            )
        except LeadEmailTaken as error:
            form.add_error("email", error.message)
        except ValidationFailed as error:
            add_api_errors(form, error)
        else:
            messages.success(request, "Changes saved.")
            return redirect("dashboard:lead", member.workspace.slug, lead.id)
    return _render(request, member, lead, form, status=422)


@workspace_action(Permission.EDIT_LEADS)
def change_status(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """Change a lead's status in the list."""
    form = LeadStatusForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Unknown status.", status=422)
    lead = update_lead(
        workspace_id=member.workspace_id,
        lead_id=get_lead(member.workspace_id, lead_id).id,
        fields={"status": form.cleaned_data["status"]},
        actor=user_actor(member.user, request),
    )
    messages.success(request, f"{lead.label} is now {lead.get_status_display().lower()}.")
    if "HX-Request" not in request.headers:
        return redirect("dashboard:leads", member.workspace.slug)
    context = {
        "pipeline": pipeline_stages(member.workspace_id),
        "status": request.GET.get("status"),
    }
    return render(request, "dashboard/leads_moved.html", context)


@workspace_action(Permission.EDIT_LEADS)
def delete(request: HttpRequest, member: Member, lead_id: str) -> HttpResponse:
    """Delete a lead. Its conversation stays."""
    lead = get_lead(member.workspace_id, lead_id)
    delete_lead(
        workspace_id=member.workspace_id,
        lead_id=lead.id,
        actor=user_actor(member.user, request),
    )
    messages.success(request, f"{lead.label} deleted.")
    return redirect("dashboard:leads", member.workspace.slug)


def _render(
    request: HttpRequest, member: Member, lead: Lead, form: LeadForm, *, status: int = 200
) -> HttpResponse:
    may_edit = is_allowed(member.role, Permission.EDIT_LEADS)
    for field in form.fields.values():
        field.disabled = not may_edit
    context = {
        "lead": lead,
        "form": form,
        "source_messages": source_messages(lead),
        "metadata": json.dumps(lead.metadata, ensure_ascii=False, indent=2),
        "may_edit": may_edit,
    }
    return render(request, "dashboard/lead.html", context, status=status)
