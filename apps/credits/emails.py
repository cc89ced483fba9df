"""Mail about a workspace's credits, to those of its people who may ask for more."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from apps.workspaces.models import Workspace
from apps.workspaces.queries import users_with_permission
from apps.workspaces.roles import Permission


def send_email(template: str, *, workspace: Workspace, **context: object) -> None:
    """Send `credits/email/<template>` with these values and the link to the page Credits."""
    link = f"{settings.PUBLIC_URL}{workspace.get_absolute_url()}credits"
    context = {"workspace": workspace, "link": link, **context}
    subject, text, html = (
        render_to_string(f"credits/email/{template}{part}", context)
        for part in ("_subject.txt", ".txt", ".html")
    )
    for person in users_with_permission(workspace.id, Permission.REQUEST_CREDITS):
        # A name with a line break in it must not begin another header.
        send_mail(" ".join(subject.split()), text, None, [person.email], html_message=html)
