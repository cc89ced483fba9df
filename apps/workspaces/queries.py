"""Queries for workspaces, their members and invitations."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.core.signing import BadSignature, Signer
from django.db.models import Case, IntegerField, QuerySet, Value, When

from apps.accounts.models import User
from apps.accounts.queries import verified_emails
from apps.infrastructure.postgres.rows import first_or_raise
from apps.workspaces.errors import InvitationNotFound
from apps.workspaces.models import Erasure, Invitation, Member, Role, Workspace
from apps.workspaces.roles import ROLE_PERMISSIONS, Permission, is_allowed

_ROLE_RANK = Case(
    *(When(role=role, then=Value(rank)) for rank, role in enumerate(Role.values)),
    output_field=IntegerField(),
)


def get_workspace_by_slug(slug: str) -> Workspace:
    """Return the workspace with this slug, for management commands. Raises ValueError."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise ValueError(f"There is no workspace {slug!r}. Create it with create_workspace.")
    return workspace


def get_roles(keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Role]:
    """Return the roles of these (workspace id, user id) pairs, for those that are members."""
    members = Member.objects.filter(
        workspace_id__in={workspace_id for workspace_id, _ in keys},
        user_id__in={user_id for _, user_id in keys},
    ).values_list("workspace_id", "user_id", "role")
    roles = {(workspace_id, user_id): Role(role) for workspace_id, user_id, role in members}
    return {key: roles[key] for key in keys if key in roles}


def memberships_for(user: User) -> QuerySet[Member]:
    """Return the user's memberships in open workspaces, ordered by workspace name."""
    members = Member.objects.filter(user=user, workspace__closed_at=None)
    return members.select_related("workspace").order_by("workspace__name", "workspace_id")


def members_for(workspace_id: str) -> QuerySet[Member]:
    """Return the workspace's members with their users, by role (owners first) and email."""
    members = Member.objects.filter(workspace_id=workspace_id).select_related("user")
    return members.order_by(_ROLE_RANK, "user__email")


def open_invitations_for(workspace_id: str) -> QuerySet[Invitation]:
    """Return invitations neither accepted nor revoked, expired ones included, newest first."""
    unused = Invitation.objects.filter(workspace_id=workspace_id, accepted_at=None, revoked_at=None)
    return unused.select_related("invited_by").order_by("-created_at", "-id")


def invitations_to(user: User, ids: Collection[str], *, now: datetime) -> list[Invitation]:
    """Return those of the invitations that are open and sent to a verified address of the user."""
    found = Invitation.objects.filter(pk__in=ids, workspace__closed_at=None)
    addresses = verified_emails(user)
    return [each for each in found if each.is_open(now) and each.email.lower() in addresses]


def invitation_token(invitation: Invitation) -> str:
    """Return the signed token for the invitation's link."""
    return _signer().sign(invitation.pk)


def parse_invitation_token(token: str) -> str:
    """Return the invitation id of a token. Raises InvitationNotFound for a bad signature."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        raise InvitationNotFound from None


def _signer() -> Signer:
    return Signer(salt="apps.workspaces.invitation", sep="~")


def get_invitation_by_token(token: str) -> Invitation:
    """Return the invitation of a token, with its workspace. Raises InvitationNotFound."""
    invitations = Invitation.objects.filter(
        pk=parse_invitation_token(token), workspace__closed_at=None
    )
    return first_or_raise(invitations.select_related("workspace", "invited_by"), InvitationNotFound)


def workspaces_to_close(now: datetime) -> QuerySet[Workspace]:
    """Return workspaces whose deletion is due."""
    return Workspace.objects.filter(closed_at=None, deletion_due_at__lte=now)


def workspaces_to_erase() -> QuerySet[Workspace]:
    """Return closed workspaces whose user content may not be deleted yet."""
    return Workspace.objects.exclude(closed_at=None).filter(erased_at=None)


def owners_for(workspace_id: str) -> QuerySet[User]:
    """Return the active users who own the workspace."""
    return _active_users(workspace_id, [Role.OWNER])


def users_with_permission(workspace_id: str, permission: Permission) -> QuerySet[User]:
    """Return the active users whose role in the workspace has the permission."""
    roles = [role for role in ROLE_PERMISSIONS if is_allowed(role, permission)]
    return _active_users(workspace_id, roles)


def _active_users(workspace_id: str, roles: Collection[str]) -> QuerySet[User]:
    return User.objects.filter(
        is_active=True, memberships__workspace_id=workspace_id, memberships__role__in=roles
    ).order_by("email")


def is_member(user: User, workspace_id: str) -> bool:
    """Return whether the user is a member of the workspace, in any role."""
    return Member.objects.filter(workspace_id=workspace_id, user=user).exists()


def erasures_for(workspace_id: str) -> QuerySet[Erasure]:
    """Return the workspace's erasure requests, done or not, newest first."""
    erasures = Erasure.objects.filter(workspace_id=workspace_id).select_related("asked_by")
    return erasures.order_by("-created_at", "-id")
