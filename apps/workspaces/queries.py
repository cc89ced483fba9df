"""Reads of workspaces, their members and invitations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.core.signing import BadSignature, Signer
from django.db.models import Case, IntegerField, QuerySet, Value, When

from apps.accounts.models import User
from apps.workspaces.errors import InvitationNotFound
from apps.workspaces.models import Erasure, Invitation, Member, Role, Workspace
from apps.workspaces.roles import ROLE_PERMISSIONS, Permission

_BY_ROLE = Case(
    *(When(role=role, then=Value(place)) for place, role in enumerate(Role.values)),
    output_field=IntegerField(),
)


def get_workspace_by_slug(slug: str) -> Workspace:
    """The workspace of this slug, for operators. Raises ValueError where there is none."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise ValueError(f"There is no workspace {slug!r}. Create it with create_workspace.")
    return workspace


def get_roles(places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Role]:
    """The roles at these places, each a workspace's id and a user's; those that there are."""
    found = Member.objects.filter(
        workspace_id__in={workspace_id for workspace_id, _ in places},
        user_id__in={user_id for _, user_id in places},
    ).values_list("workspace_id", "user_id", "role")
    roles = {(workspace_id, user_id): Role(role) for workspace_id, user_id, role in found}
    return {place: roles[place] for place in places if place in roles}


def memberships_for(user: User) -> QuerySet[Member]:
    """A person's places, with their workspaces, by the workspaces' names."""
    places = Member.objects.filter(user=user, workspace__closed_at=None)
    return places.select_related("workspace").order_by("workspace__name", "workspace_id")


def owns_a_workspace(user: User) -> bool:
    """Whether the person owns any workspace that is not closed."""
    return memberships_for(user).filter(role=Role.OWNER).exists()


def members_for(workspace_id: str) -> QuerySet[Member]:
    """Who is in the workspace, with their accounts: owners first, then by email address."""
    members = Member.objects.filter(workspace_id=workspace_id).select_related("user")
    return members.order_by(_BY_ROLE, "user__email")


def open_invitations_for(workspace_id: str) -> QuerySet[Invitation]:
    """Offers that were neither accepted nor taken back, expired ones included; newest first."""
    offers = Invitation.objects.filter(workspace_id=workspace_id, accepted_at=None, revoked_at=None)
    return offers.select_related("invited_by").order_by("-created_at", "-id")


def invitation_token(invitation: Invitation) -> str:
    """What the link of an invitation carries."""
    return _signer().sign(invitation.pk)


def parse_invitation_token(token: str) -> str:
    """The invitation that a link names. Raises InvitationUnknown for one that is not ours."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        raise InvitationNotFound from None


def _signer() -> Signer:
    return Signer(salt="apps.workspaces.invitation", sep="~")


def get_invitation_by_token(token: str) -> Invitation:
    """The invitation of a link, with its workspace. Raises InvitationUnknown."""
    found = Invitation.objects.filter(pk=parse_invitation_token(token), workspace__closed_at=None)
    invitation = found.select_related("workspace", "invited_by").first()
    if invitation is None:
        raise InvitationNotFound
    return invitation


def workspaces_to_close(now: datetime) -> QuerySet[Workspace]:
    """Workspaces whose deletion is due."""
    return Workspace.objects.filter(closed_at=None, deletion_due_at__lte=now)


def workspaces_to_erase() -> QuerySet[Workspace]:
    """Closed workspaces in which something that people wrote may be left."""
    return Workspace.objects.exclude(closed_at=None).filter(erased_at=None)


def owners_for(workspace_id: str) -> QuerySet[User]:
    """The people who own a workspace and may still sign in."""
    return User.objects.filter(
        is_active=True, memberships__workspace_id=workspace_id, memberships__role=Role.OWNER
    ).order_by("email")


def users_with_permission(workspace_id: str, permission: Permission) -> QuerySet[User]:
    """The people whose role in the workspace allows this, and who may still sign in."""
    roles = [role for role, allowed in ROLE_PERMISSIONS.items() if permission in allowed]
    return User.objects.filter(
        is_active=True, memberships__workspace_id=workspace_id, memberships__role__in=roles
    ).order_by("email")


def is_member(user: User, workspace_id: str) -> bool:
    """Whether the person has a place in the workspace, whatever its role."""
    return Member.objects.filter(workspace_id=workspace_id, user=user).exists()


def erasures_for(workspace_id: str) -> QuerySet[Erasure]:
    """The end-users that the workspace had forgotten or wants forgotten, newest first."""
    found = Erasure.objects.filter(workspace_id=workspace_id).select_related("asked_by")
    return found.order_by("-created_at", "-id")
