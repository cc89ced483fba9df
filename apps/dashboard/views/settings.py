from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.settings import ErasureForm, RetentionForm, WorkspaceNameForm
from apps.workspaces import services
from apps.workspaces.errors import NameMismatch
from apps.workspaces.models import Member
from apps.workspaces.queries import erasures_for
from apps.workspaces.roles import Permission, is_allowed

MAX_ERASURES = 10


@workspace_page(Permission.VIEW)
def settings(request: HttpRequest, member: Member) -> HttpResponse:
    """Name, retention, erasures and deletion of the workspace."""
    return _render(request, member)


@workspace_action(Permission.EDIT_SETTINGS)
def rename(request: HttpRequest, member: Member) -> HttpResponse:
    """Rename the workspace."""
    form = WorkspaceNameForm(request.POST)
    if not form.is_valid():
        return _render(request, member, form=form)
    name = form.cleaned_data["name"]
    actor = user_actor(member.user, request)
    services.rename_workspace(workspace=member.workspace, name=name, actor=actor)
    messages.success(request, f"Workspace renamed to {name}.")
    return redirect("dashboard:settings", member.workspace.slug)


@workspace_action(Permission.EDIT_SETTINGS)
def set_retention(request: HttpRequest, member: Member) -> HttpResponse:
    """Set after how many days conversations and leads are deleted."""
    form = RetentionForm(request.POST)
    if not form.is_valid():
        return _render(request, member, retention_form=form)
    actor = user_actor(member.user, request)
    services.set_retention(workspace=member.workspace, actor=actor, **form.cleaned_data)
    messages.success(request, "Changes saved. Older data is deleted within an hour.")
    return redirect("dashboard:settings", member.workspace.slug)


@workspace_action(Permission.EDIT_SETTINGS)
def erase_user(request: HttpRequest, member: Member) -> HttpResponse:
    """Start the erasure of an end user's data."""
    form = ErasureForm(request.POST)
    if not form.is_valid():
        return _render(request, member, erasure_form=form)
    services.request_erasure(
        workspace=member.workspace,
        user_id=form.cleaned_data["user_id"],
        actor=user_actor(member.user, request),
        by=member.user,
    )
    messages.success(request, "Erasure started. This page shows when it is done.")
    return redirect("dashboard:settings", member.workspace.slug)


@workspace_action(Permission.OWN)
def delete(request: HttpRequest, member: Member) -> HttpResponse:
    """Schedule the workspace's deletion in 7 days, if its name was typed."""
    try:
        workspace = services.schedule_deletion(
            workspace=member.workspace,
            typed_name=request.POST.get("name", ""),
            actor=user_actor(member.user, request),
        )
    except NameMismatch as error:
        messages.error(request, str(error))
    else:
        due = workspace.deletion_due_at
        messages.success(request, f"{workspace.name} will be deleted on {due:%-d %B}.")
    return redirect("dashboard:settings", member.workspace.slug)


@workspace_action(Permission.OWN)
def cancel_deletion(request: HttpRequest, member: Member) -> HttpResponse:
    """Cancel the scheduled deletion."""
    services.cancel_deletion(workspace=member.workspace, actor=user_actor(member.user, request))
    messages.success(request, f"Deletion of {member.workspace.name} canceled.")
    return redirect("dashboard:settings", member.workspace.slug)


def _render(request: HttpRequest, member: Member, **invalid_forms: forms.Form) -> HttpResponse:
    """Render the page; `invalid_forms` replace the current forms of the same name."""
    workspace = member.workspace
    may_edit = is_allowed(member.role, Permission.EDIT_SETTINGS)
    context = {
        "form": WorkspaceNameForm(initial={"name": workspace.name}),
        "retention_form": RetentionForm.for_workspace(workspace),
        "erasure_form": ErasureForm(),
        "erasures": erasures_for(workspace.id)[:MAX_ERASURES] if may_edit else [],
        "may_edit": may_edit,
        "may_delete": is_allowed(member.role, Permission.OWN),
        **invalid_forms,
    }
    return render(request, "dashboard/settings.html", context, status=422 if invalid_forms else 200)
