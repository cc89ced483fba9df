"""Invitations by email.

The link contains the signed invitation id: it cannot be forged, nothing secret is stored or
queued, and the same email can be sent twice. An invitation can be accepted once, until it
expires, by a user who has verified the invited address.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.queries import has_verified_email
from apps.audit.services import Actor, record_change
from apps.core.errors import NotFound
from apps.infrastructure.postgres.rows import first_or_raise
from apps.workspaces.errors import (
    AlreadyMember,
    InvitationEmailMismatch,
    InvitationExpired,
    InvitationNotFound,
    InvitationRevoked,
    InvitationUsed,
    TooManyMembers,
)
from apps.workspaces.models import Invitation, LetterKind, Member, Role, Workspace
from apps.workspaces.queries import parse_invitation_token
from apps.workspaces.services.invitation_limits import require_invitations_left
from apps.workspaces.services.letters import queue_letters
from apps.workspaces.services.limits import lock_workspace
from apps.workspaces.services.members import add_member

INVITATION_LIFETIME = timedelta(days=7)


@transaction.atomic
def invite(*, workspace: Workspace, email: str, role: Role, by: Member, actor: Actor) -> Invitation:
    """Create an invitation and email its link. It replaces an open one for the same address.

    Raises ValidationError for a bad address or role, AlreadyMember, TooManyInvitations or
    TooManyMembers.
    """
    lock_workspace(workspace_id=workspace.pk)
    invitation = Invitation(
        workspace=workspace,
        email=email.strip().lower(),
        role=role,
        invited_by=by.user,
        expires_at=timezone.now() + INVITATION_LIFETIME,
    )
    invitation.clean_fields()
    if Member.objects.filter(workspace=workspace, user__email__iexact=invitation.email).exists():
        raise AlreadyMember
    require_invitations_left(workspace=workspace, user=by.user, email=invitation.email)
    earlier = Invitation.objects.filter(workspace=workspace, email__iexact=invitation.email)
    earlier.filter(accepted_at=None, revoked_at=None).update(revoked_at=timezone.now())
    _require_fewer_members(workspace)
    invitation.save()
    record_change(invitation, actor=actor, action="invitation.sent", role=invitation.role)
    queue_letters(
        workspace_id=workspace.pk,
        kind=LetterKind.INVITATION,
        subject_id=invitation.id,
        recipients=[invitation.email],
    )
    return invitation


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, actor: Actor) -> None:
    """Revoke an invitation. One that was accepted or revoked does not change."""
    unused = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if unused.update(revoked_at=timezone.now()):
        record_change(invitation, actor=actor, action="invitation.revoked", role=invitation.role)


@transaction.atomic
def accept_invitation(*, token: str, user: User, actor: Actor) -> Member:
    """Make the user a member. The same user can follow the link again without an error.

    Raises a subclass of InvitationError: not found, revoked, used by another user, expired, or
    sent to an address that this user has not verified.
    """
    unlocked = Invitation.objects.filter(pk=parse_invitation_token(token))
    workspace_id = first_or_raise(unlocked, InvitationNotFound).workspace_id
    try:
        lock_workspace(workspace_id=workspace_id)
    except NotFound:
        raise InvitationNotFound from None
    locked = unlocked.select_related("workspace").select_for_update(of=("self",))
    invitation = first_or_raise(locked, InvitationNotFound)
    member = Member.objects.filter(workspace_id=invitation.workspace_id, user=user).first()
    if invitation.accepted_at is not None:
        if member is None or invitation.accepted_by_id != user.pk:
            raise InvitationUsed
        return member
    if invitation.revoked_at is not None:
        raise InvitationRevoked
    now = timezone.now()
    if invitation.is_expired(now):
        raise InvitationExpired
    if not has_verified_email(user, invitation.email):
        raise InvitationEmailMismatch
    invitation.accepted_at, invitation.accepted_by = now, user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    record_change(invitation, actor=actor, action="invitation.accepted", role=invitation.role)
    # A user who has become a member since keeps their role.
    return member or add_member(
        workspace=invitation.workspace, user=user, role=Role(invitation.role)
    )


def _require_fewer_members(workspace: Workspace) -> None:
    """Raises TooManyMembers. An open invitation counts, so that accepting it adds none."""
    unused = Invitation.objects.filter(workspace=workspace, accepted_at=None, revoked_at=None)
    invited = unused.filter(expires_at__gt=timezone.now()).count()
    if Member.objects.filter(workspace=workspace).count() + invited >= settings.MAX_MEMBERS:
        raise TooManyMembers(settings.MAX_MEMBERS)
