"""Emails about credits to the members of a workspace who may request more."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from apps.workspaces.models import Workspace
from apps.workspaces.queries import users_with_permission
from apps.workspaces.roles import Permission


def send_email(template: str, *, workspace: Workspace, **context: object) -> None:
    """Send `credits/email/<template>`. Its context has `workspace` and `link`, the billing page."""
    link = f"{settings.PUBLIC_URL}{workspace.get_absolute_url()}credits"
    context |= {"workspace": workspace, "link": link}
    subject, text, html = (
        render_to_string(f"credits/email/{template}{part}", context)
        for part in ("_subject.txt", ".txt", ".html")
    )
    for user in users_with_permission(workspace.id, Permission.REQUEST_CREDITS):
        # A line break in a name must not start another header.
        send_mail(" ".join(subject.split()), text, None, [user.email], html_message=html)
