from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.members import InviteForm, RoleForm
from apps.workspaces import services
from apps.workspaces.errors import AlreadyMember, WorkspaceError
from apps.workspaces.models import Member, Role
from apps.workspaces.queries import members_for, open_invitations_for
from apps.workspaces.roles import Permission, is_allowed

Page = Callable[..., HttpResponse]


def says_why_not(page: Page) -> Page:
    """Show the sentence of a refusal where the members are."""

    @wraps(page)
    def answer(request: HttpRequest, member: Member, **rest: Any) -> HttpResponse:
        try:
            return page(request, member, **rest)
        except WorkspaceError as refusal:
            messages.error(request, str(refusal))
        except Member.DoesNotExist:
            messages.error(request, "This person is no longer a member.")
        return redirect("dashboard:members", member.workspace.slug)

    return answer


@workspace_page(Permission.VIEW)
@require_safe
def members(request: HttpRequest, member: Member) -> HttpResponse:
    """Who is in the workspace, and who is invited."""
    return _members(request, member)


@workspace_page(Permission.MANAGE_MEMBERS)
@require_POST
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
        except AlreadyMember as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(request, f"Invitation sent to {email}.")
            return redirect("dashboard:members", member.workspace.slug)
    return _members(request, member, form)


@workspace_page(Permission.MANAGE_MEMBERS)
@require_POST
def revoke_invitation(request: HttpRequest, member: Member, invitation_id: str) -> HttpResponse:
    invitation = open_invitations_for(member.workspace_id).filter(pk=invitation_id).first()
    if invitation is None:
        raise Http404
    services.revoke_invitation(invitation=invitation, actor=user_actor(member.user, request))
    messages.success(request, f"Invitation to {invitation.email} revoked.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_page(Permission.MANAGE_MEMBERS)
@require_POST
@says_why_not
def change_role(request: HttpRequest, member: Member, member_id: str) -> HttpResponse:
    other = _other(member, member_id)
    form = RoleForm(request.POST)
    if form.is_valid():
        role = Role(form.cleaned_data["role"])
        services.change_role(
            workspace=member.workspace,
            member=other,
            role=role,
            by=member,
            actor=user_actor(member.user, request),
        )
        messages.success(request, f"{other.user.email} is now {role.label.lower()}.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_page(Permission.MANAGE_MEMBERS)
@require_POST
@says_why_not
def remove(request: HttpRequest, member: Member, member_id: str) -> HttpResponse:
    other = _other(member, member_id)
    services.remove_member(
        workspace=member.workspace, member=other, by=member, actor=user_actor(member.user, request)
    )
    messages.success(request, f"{other.user.email} removed.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_page(Permission.OWN)
@require_POST
@says_why_not
def transfer(request: HttpRequest, member: Member, member_id: str) -> HttpResponse:
    """Hand the ownership over, and stay as admin."""
    other = _other(member, member_id)
    services.transfer_ownership(
        workspace=member.workspace, to=other, by=member, actor=user_actor(member.user, request)
    )
    messages.success(request, f"{other.user.email} is now the owner. You are an admin.")
    return redirect("dashboard:members", member.workspace.slug)


@workspace_page(Permission.VIEW)
@require_POST
@says_why_not
def leave(request: HttpRequest, member: Member) -> HttpResponse:
    services.leave_workspace(
        workspace=member.workspace, member=member, actor=user_actor(member.user, request)
    )
    messages.success(request, f"You left {member.workspace.name}.")
    return redirect("workspaces")


def _members(request: HttpRequest, member: Member, form: InviteForm | None = None) -> HttpResponse:
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


def _other(member: Member, member_id: str) -> Member:
    """Another member of the same workspace. Raises Http404."""
    other = members_for(member.workspace_id).filter(pk=member_id).first()
    if other is None:
        raise Http404
    return other
