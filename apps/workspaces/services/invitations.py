"""Places offered by email.

The link carries the invitation's id, signed: nobody can make one, nothing secret is stored or
queued, and the same email can be sent twice. What it opens is decided by the row: once, until it
expires, and for whoever owns the invited address.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.queries import has_verified_email
from apps.audit.services import Actor, record
from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.errors import (
    AlreadyMember,
    InvitationEmailMismatch,
    InvitationExpired,
    InvitationNotFound,
    InvitationRevoked,
    InvitationUsed,
)
from apps.workspaces.models import Invitation, Member, Role, Workspace
from apps.workspaces.queries import parse_invitation_token
from apps.workspaces.services.members import add_member

INVITATION_LIFETIME = timedelta(days=7)
SEND_INVITATION_TASK = "apps.workspaces.tasks.send_invitation"


@transaction.atomic
def invite(*, workspace: Workspace, email: str, role: Role, by: Member, actor: Actor) -> Invitation:
    """Offer a place, and send the link. An open invitation to the address is replaced.

    Raises ValidationError for a bad address or role, AlreadyMember.
    """
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk, closed_at=None)
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
    earlier = Invitation.objects.filter(workspace=workspace, email__iexact=invitation.email)
    earlier.filter(accepted_at=None, revoked_at=None).update(revoked_at=timezone.now())
    invitation.save()
    _record(invitation, actor, "invitation.sent")
    send_task_on_commit(SEND_INVITATION_TASK, invitation.id)
    return invitation


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, actor: Actor) -> None:
    """Take the offer back. One that was accepted or revoked stays as it is."""
    opened = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if opened.update(revoked_at=timezone.now()):
        _record(invitation, actor, "invitation.revoked")


@transaction.atomic
def accept_invitation(*, token: str, user: User, actor: Actor) -> Member:
    """Take the place that the link offers. The same person may follow the link again.

    Raises a leaf of InvitationRefused: unknown, revoked, used by another, expired, or sent to an
    address that is not a verified one of this person.
    """
    invitation = _lock(parse_invitation_token(token))
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
    _record(invitation, actor, "invitation.accepted")
    # Somebody who became a member meanwhile keeps the role that they have.
    return member or add_member(
        workspace=invitation.workspace, user=user, role=Role(invitation.role)
    )


def _lock(invitation_id: str) -> Invitation:
    found = Invitation.objects.select_for_update(of=("self",)).select_related("workspace")
    invitation = found.filter(pk=invitation_id, workspace__closed_at=None).first()
    if invitation is None:
        raise InvitationNotFound
    return invitation


def _record(invitation: Invitation, actor: Actor, action: str) -> None:
    record(
        workspace_id=invitation.workspace_id,
        actor=actor,
        action=action,
        target_id=invitation.id,
        target_label=invitation.email,
        details={"role": invitation.role},
    )
