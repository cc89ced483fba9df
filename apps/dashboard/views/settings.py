from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import person
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.settings import NameForm
from apps.workspaces import services
from apps.workspaces.errors import WrongName
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, may


@workspace_page(Permission.VIEW)
@require_safe
def settings(request: HttpRequest, member: Member) -> HttpResponse:
    """What the workspace is called, and its end."""
    return _page(request, member, NameForm(initial={"name": member.workspace.name}))


@workspace_page(Permission.EDIT_SETTINGS)
@require_POST
def rename(request: HttpRequest, member: Member) -> HttpResponse:
    """Give the workspace another name."""
    form = NameForm(request.POST)
    if not form.is_valid():
        return _page(request, member, form, status=422)
    name = form.cleaned_data["name"]
    actor = person(member.user, request)
    services.rename_workspace(workspace=member.workspace, name=name, actor=actor)
    messages.success(request, f"The workspace is called {name} now.")
    return redirect("dashboard:settings", member.workspace.slug)


@workspace_page(Permission.OWN)
@require_POST
def delete(request: HttpRequest, member: Member) -> HttpResponse:
    """Let the workspace end in 7 days, once its name was typed."""
    try:
        workspace = services.schedule_deletion(
            workspace=member.workspace,
            typed_name=request.POST.get("name", ""),
            actor=person(member.user, request),
        )
    except WrongName as wrong:
        messages.error(request, str(wrong))
    else:
        due = workspace.deletion_due_at
        messages.success(request, f"{workspace.name} will be deleted on {due:%-d %B}.")
    return redirect("dashboard:settings", member.workspace.slug)


@workspace_page(Permission.OWN)
@require_POST
def keep(request: HttpRequest, member: Member) -> HttpResponse:
    """Take the deletion back."""
    services.cancel_deletion(workspace=member.workspace, actor=person(member.user, request))
    messages.success(request, f"{member.workspace.name} is kept.")
    return redirect("dashboard:settings", member.workspace.slug)


def _page(request: HttpRequest, member: Member, form: NameForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "may_edit": may(member.role, Permission.EDIT_SETTINGS),
        "may_delete": may(member.role, Permission.OWN),
    }
    return render(request, "dashboard/settings.html", context, status=status)
