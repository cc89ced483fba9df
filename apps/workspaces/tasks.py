from __future__ import annotations

from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from apps.workspaces.models import Invitation, Workspace
from apps.workspaces.queries import invitation_token, owners_for

_TRIED_AGAIN = {"autoretry_for": (OSError,), "retry_backoff": 10, "max_retries": 6}


@shared_task(name="apps.workspaces.tasks.send_invitation", **_TRIED_AGAIN)  # type: ignore[untyped-decorator]
def send_invitation(invitation_id: str) -> None:
    """Send the link of an invitation that is still open. Sent twice, it is the same link."""
    still_open = Invitation.objects.filter(pk=invitation_id, accepted_at=None, revoked_at=None)
    invitation = still_open.select_related("workspace", "invited_by").first()
    if invitation is not None:
        link = settings.PUBLIC_URL + reverse(
            "accept_invitation", args=[invitation_token(invitation)]
        )
        _send("invitation", invitation.email, {"invitation": invitation, "link": link})


@shared_task(name="apps.workspaces.tasks.send_deletion_notices", **_TRIED_AGAIN)  # type: ignore[untyped-decorator]
def send_deletion_notices(workspace_id: str) -> None:
    """Tell every owner that the workspace will be deleted, and how to keep it."""
    still_due = Workspace.objects.filter(pk=workspace_id, closed_at=None)
    workspace = still_due.exclude(deletion_due_at=None).first()
    if workspace is not None:
        link = f"{settings.PUBLIC_URL}{workspace.get_absolute_url()}settings"
        for owner in owners_for(workspace.id):
            _send("deletion", owner.email, {"workspace": workspace, "link": link})


def _send(template: str, to: str, context: dict[str, Any]) -> None:
    subject, text, html = (
        render_to_string(f"workspaces/email/{template}{part}", context)
        for part in ("_subject.txt", ".txt", ".html")
    )
    # A name with a line break in it must not begin another header.
    send_mail(" ".join(subject.split()), text, None, [to], html_message=html)
