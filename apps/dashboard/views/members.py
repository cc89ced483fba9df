from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from apps.audit.services import user_actor
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.members import InviteForm, RoleForm
from apps.workspaces import services
from apps.workspaces.errors import WorkspaceError
from apps.workspaces.models import Member, Role
from apps.workspaces.queries import members_for, open_invitations_for
from apps.workspaces.roles import Permission, is_allowed

View = Callable[..., HttpResponse]


def show_workspace_errors(view: View) -> View:
    """Redirect to the members with the message of a WorkspaceError that the view raises."""

    @wraps(view)
    def wrapped(request: HttpRequest, member: Member, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, member, **kwargs)
        except WorkspaceError as error:
            messages.error(request, str(error))
        except Member.DoesNotExist:
            messages.error(request, "This person is no longer a member.")
        return redirect("dashboard:members", member.workspace.slug)

    return wrapped


@workspace_page(Permission.VIEW)
def members(request: HttpRequest, member: Member) -> HttpResponse:
    """The members and the open invitations."""
    return _render(request, member)


@workspace_action(Permission.MANAGE_MEMBERS)
def invite(request: HttpRequest, member: Member) -> HttpResponse:
    form = InviteForm(request.POST)
    if form.is_valid():
        email = form.cleaned_data["email"]
        try:
            services.invite(
                workspace=member.workspace,
                email=email,
                role=Role(form.cleaned_data["role"]),
                by=member,
                actor=user_actor(member.user, request),
            )
        except WorkspaceError as error:
            form.add_error("email", str(error))
        else:
            messages.success(request, f"Invitation sent to {email}.")
            return redirect("dashboard:members", member.workspace.slug)
    return _render(request, member, form)


@workspace_action(Permission.MANAGE_MEMBERS)
def revoke_invitation(request: HttpRequest, member: Member, invitation_id: str) -> HttpResponse:
    invitation = get_object_or_404(open_invitations_for(member.workspace_id), pk=invitation_id)
    services.revoke_invitation(invitation=invitation, actor=user_actor(member.user, request))
    messages.success(request, f"Invitation to {invitation.email} revoked.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_action(Permission.MANAGE_MEMBERS)
@show_workspace_errors
def change_role(request: HttpRequest, member: Member, member_id: str) -> HttpResponse:
    target = _get_member(member, member_id)
    form = RoleForm(request.POST)
    if form.is_valid():
        role = Role(form.cleaned_data["role"])
        services.change_role(
            workspace=member.workspace,
            member=target,
            role=role,
            by=member,
            actor=user_actor(member.user, request),
        )
        messages.success(request, f"{target.user.email} is now {role.label.lower()}.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_action(Permission.MANAGE_MEMBERS)
@show_workspace_errors
def remove(request: HttpRequest, member: Member, member_id: str) -> HttpResponse:
    target = _get_member(member, member_id)
    services.remove_member(
        workspace=member.workspace, member=target, by=member, actor=user_actor(member.user, request)
    )
    messages.success(request, f"{target.user.email} removed.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_action(Permission.OWN)
@show_workspace_errors
def transfer(request: HttpRequest, member: Member, member_id: str) -> HttpResponse:
    """Transfer the ownership. The former owner becomes an admin."""
    target = _get_member(member, member_id)
    services.transfer_ownership(
        workspace=member.workspace, to=target, by=member, actor=user_actor(member.user, request)
    )
    messages.success(request, f"{target.user.email} is now the owner. You are an admin.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_action(Permission.VIEW)
@show_workspace_errors
def leave(request: HttpRequest, member: Member) -> HttpResponse:
    services.leave_workspace(
        workspace=member.workspace, member=member, actor=user_actor(member.user, request)
    )
    messages.success(request, f"You left {member.workspace.name}.")
    return redirect("workspaces")


def _render(request: HttpRequest, member: Member, form: InviteForm | None = None) -> HttpResponse:
    may_manage = is_allowed(member.role, Permission.MANAGE_MEMBERS)
    context = {
        "members": members_for(member.workspace_id),
        "invitations": open_invitations_for(member.workspace_id) if may_manage else [],
        "form": form or InviteForm(),
        "roles": Role.choices,
        "now": timezone.now(),
        "may_manage": may_manage,
        "may_manage_owners": is_allowed(member.role, Permission.OWN),
    }
    return render(request, "dashboard/members.html", context, status=422 if form else 200)


def _get_member(member: Member, member_id: str) -> Member:
    return get_object_or_404(members_for(member.workspace_id), pk=member_id)
