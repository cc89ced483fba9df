"""The end of a workspace: asked for, taken back or carried out, and what is left of it.

asked for      its name typed by an owner; everything goes on as before; can be taken back
due            7 days later: closed; nobody and no key gets in, members and invitations are gone
erased         what people wrote is gone (`apps.privacy.workspace_deletion`); row, ledger and audit stay
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.audit.services import SYSTEM, Actor, record
from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.errors import NameMismatch
from apps.workspaces.models import Erasure, Invitation, Member, Workspace

NOTICE_PERIOD = timedelta(days=7)
CLOSED_NAME = "Deleted workspace"
SEND_NOTICES_TASK = "apps.workspaces.tasks.send_deletion_notices"


@transaction.atomic
def schedule_deletion(*, workspace: Workspace, typed_name: str, actor: Actor) -> Workspace:
    """Let the workspace be deleted in 7 days, and tell its owners. Raises WrongName.

    Asking again does not move the day.
    """
    if typed_name.strip() != workspace.name:
        raise NameMismatch
    due = timezone.now() + NOTICE_PERIOD
    open_ones = Workspace.objects.filter(pk=workspace.pk, closed_at=None)
    if open_ones.filter(deletion_due_at=None).update(deletion_due_at=due):
        _record(workspace, actor, "workspace.deletion_scheduled", due=due.isoformat())
        send_task_on_commit(SEND_NOTICES_TASK, workspace.id)
    workspace.refresh_from_db()
    return workspace


@transaction.atomic
def cancel_deletion(*, workspace: Workspace, actor: Actor) -> Workspace:
    """Keep the workspace after all. One that is closed already stays closed."""
    open_ones = Workspace.objects.filter(pk=workspace.pk, closed_at=None)
    if open_ones.exclude(deletion_due_at=None).update(deletion_due_at=None):
        _record(workspace, actor, "workspace.deletion_cancelled")
    workspace.refresh_from_db()
    return workspace


@transaction.atomic
def close_workspace(*, workspace_id: str, now: datetime) -> bool:
    """Close a workspace whose day has come; False where it has not, or was closed before.

    Its name and slug go, so that the slug is free again; so do its members, invitations and
    erasures.
    """
    due = Workspace.objects.filter(pk=workspace_id, closed_at=None, deletion_due_at__lte=now)
    if not due.update(closed_at=now, name=CLOSED_NAME, slug=workspace_id):
        return False
    Member.objects.filter(workspace_id=workspace_id).delete()
    Invitation.objects.filter(workspace_id=workspace_id).delete()
    Erasure.objects.filter(workspace_id=workspace_id).delete()
    record(
        workspace_id=workspace_id,
        actor=SYSTEM,
        action="workspace.closed",
        target_id=workspace_id,
        target_label=CLOSED_NAME,
    )
    return True


def mark_erased(*, workspace_id: str) -> None:
    """Write down that nothing of what people wrote is left. Call it when that is so."""
    closed = Workspace.objects.filter(pk=workspace_id, erased_at=None)
    if closed.exclude(closed_at=None).update(erased_at=timezone.now()):
        record(workspace_id=workspace_id, actor=SYSTEM, action="workspace.erased")


def _record(workspace: Workspace, actor: Actor, action: str, **details: object) -> None:
    record(
        workspace_id=workspace.id,
        actor=actor,
        action=action,
        target_id=workspace.id,
        target_label=workspace.name,
        details=details,
    )
