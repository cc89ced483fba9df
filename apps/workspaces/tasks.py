from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from apps.workspaces.models import Invitation, Workspace
from apps.workspaces.queries import invitation_token, owners_for

_RETRIES = {"autoretry_for": (OSError,), "retry_backoff": 10, "max_retries": 6}


@shared_task(**_RETRIES)  # type: ignore[untyped-decorator]
def send_invitation(invitation_id: str) -> None:
    """Email the link of an invitation that is still open. Repeating it sends the same link."""
    unused = Invitation.objects.filter(pk=invitation_id, accepted_at=None, revoked_at=None)
    invitation = unused.select_related("workspace", "invited_by").first()
    if invitation is not None:
        link = settings.PUBLIC_URL + reverse(
            "accept_invitation", args=[invitation_token(invitation)]
        )
        _send("invitation", invitation.email, {"invitation": invitation, "link": link})


@shared_task(**_RETRIES)  # type: ignore[untyped-decorator]
def send_deletion_notices(workspace_id: str) -> None:
    """Email all owners that the workspace will be deleted and how to cancel that."""
    not_closed = Workspace.objects.filter(pk=workspace_id, closed_at=None)
    workspace = not_closed.exclude(deletion_due_at=None).first()
    if workspace is not None:
        link = f"{settings.PUBLIC_URL}{workspace.get_absolute_url()}settings"
        for owner in owners_for(workspace.id):
            _send("deletion", owner.email, {"workspace": workspace, "link": link})


def _send(template: str, to: str, context: dict[str, Any]) -> None:
    subject, text, html = (
        render_to_string(f"workspaces/email/{template}{suffix}", context)
        for suffix in ("_subject.txt", ".txt", ".html")
    )
    # A line break in a workspace's name must not start another email header.
    send_mail(" ".join(subject.split()), text, None, [to], html_message=html)
