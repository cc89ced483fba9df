"""Test clients and form helpers for the authentication pages."""

from __future__ import annotations

import re
import secrets
from typing import Any

from django.conf import settings
from django.core import mail
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.core.ids import new_id
from tests.task_runner import run_queued_tasks

PASSWORD = "Zq8-h3Xv_7Kd"
SEND_EMAIL_TASK = "apps.accounts.tasks.send_email"


def new_browser(address: str | None = None, **options: Any) -> Client:
    """A client with its own IP address, so that clients do not share a rate limit."""
    address = address or f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"
    return Client(REMOTE_ADDR=address, **options)


def sign_up(client: Client, email: str, workspace: str | None = "Acme", **fields: Any) -> Any:
    """Submit the sign-up form."""
    form = {"email": email, "password1": PASSWORD, **fields}
    if workspace is not None:
        form["workspace_name"] = workspace
    return client.post("/signup", form)


def log_in(client: Client, email: str, password: str = PASSWORD, then: str = "") -> Any:
    """Submit the login form."""
    return client.post("/login", {"login": email, "password": password, "next": then})


def confirm_password(client: Client) -> None:
    """Reauthenticate with the password."""
    client.post("/confirm", {"password": PASSWORD})


def sent_emails() -> list[tuple[str, str]]:
    """Run the email tasks and empty the outbox; return recipient and subject of each email."""
    run_queued_tasks(SEND_EMAIL_TASK)
    sent = [(message.to[0], str(message.subject)) for message in mail.outbox]
    mail.outbox.clear()
    return sent


def emailed_link() -> str:
    """The path of the link in the only email that was sent."""
    run_queued_tasks(SEND_EMAIL_TASK)
    (message,) = mail.outbox
    mail.outbox.clear()
    (link,) = re.findall(rf"{re.escape(settings.PUBLIC_URL)}(/\S+)", str(message.body))
    return str(link)


def is_signed_in(client: Client) -> bool:
    """Whether the client has a session."""
    return "_auth_user_id" in client.session


def form_errors(response: Any) -> dict[str, list[str]]:
    """The errors of the form on the page, by field."""
    errors = response.context["form"].errors
    return {field: list(map(str, messages)) for field, messages in errors.items()}


def new_email() -> str:
    return f"dana-{new_id()}@example.com"


def make_registered_user(
    *, email: str | None = None, is_verified: bool = True, **fields: bool
) -> User:
    """A user who signed up earlier."""
    user = User.objects.create_user(email or new_email(), PASSWORD, **fields)
    if is_verified:
        mark_email_verified(user=user)
    return user
