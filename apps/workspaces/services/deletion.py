"""Deletion of a workspace, in three steps.

scheduled   an owner typed the workspace's name; nothing changes yet, and it can be cancelled
closed      7 days later: members, invitations and API keys are gone, and nobody has access
erased      user content is deleted (`apps.privacy.workspace_deletion`); the row, the ledger and
            the audit log remain
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.audit.services import SYSTEM, Actor, record, record_change
from apps.workspaces.errors import NameMismatch
from apps.workspaces.models import Erasure, Invitation, Letter, LetterKind, Member, Workspace
from apps.workspaces.queries import owners_for
from apps.workspaces.services.letters import queue_letters

NOTICE_PERIOD = timedelta(days=7)
CLOSED_NAME = "Deleted workspace"


@transaction.atomic
def schedule_deletion(*, workspace: Workspace, typed_name: str, actor: Actor) -> Workspace:
    """Schedule the deletion in 7 days, once, and email the owners. Raises NameMismatch."""
    if typed_name.strip() != workspace.name:
        raise NameMismatch
    due = timezone.now() + NOTICE_PERIOD
    not_closed = Workspace.objects.filter(pk=workspace.pk, closed_at=None)
    if not_closed.filter(deletion_due_at=None).update(deletion_due_at=due):
        record_change(
            workspace, actor=actor, action="workspace.deletion_scheduled", due=due.isoformat()
        )
        queue_letters(
            workspace_id=workspace.pk,
            kind=LetterKind.DELETION,
            subject_id=workspace.pk,
            recipients=[owner.email for owner in owners_for(workspace.pk)],
        )
    workspace.refresh_from_db()
    return workspace


@transaction.atomic
def cancel_deletion(*, workspace: Workspace, actor: Actor) -> Workspace:
    """Cancel a scheduled deletion. A workspace that is closed stays closed."""
    not_closed = Workspace.objects.filter(pk=workspace.pk, closed_at=None)
    if not_closed.exclude(deletion_due_at=None).update(deletion_due_at=None):
        record_change(workspace, actor=actor, action="workspace.deletion_cancelled")
    workspace.refresh_from_db()
    return workspace


@transaction.atomic
def close_workspace(*, workspace_id: str, now: datetime) -> bool:
    """Close a workspace and free its slug. Return False if it is not due or already closed."""
    due = Workspace.objects.filter(pk=workspace_id, closed_at=None, deletion_due_at__lte=now)
    if not due.update(closed_at=now, name=CLOSED_NAME, slug=workspace_id):
        return False
    for model in (Member, Invitation, Letter, Erasure):
        model._default_manager.filter(workspace_id=workspace_id).delete()
    record(
        workspace_id=workspace_id,
        actor=SYSTEM,
        action="workspace.closed",
        target_id=workspace_id,
        target_label=CLOSED_NAME,
    )
    return True


def mark_erased(*, workspace_id: str) -> None:
    """Record that all user content of a closed workspace has been deleted."""
    not_erased = Workspace.objects.filter(pk=workspace_id, erased_at=None)
    if not_erased.exclude(closed_at=None).update(erased_at=timezone.now()):
        record(workspace_id=workspace_id, actor=SYSTEM, action="workspace.erased")
