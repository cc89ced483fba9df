"""Browsers without a screen, for the pages of getting in."""

from __future__ import annotations

import re
import secrets
from typing import Any

from django.core import mail
from django.test import Client

from tests.task_runner import run_jobs

PASSWORD = "Zq8-h3Xv_7Kd"
SEND_EMAIL_TASK = "apps.accounts.tasks.send_email"


def new_browser(address: str | None = None, **options: Any) -> Client:
    """A browser at an address of its own, so that no two share an allowance of tries."""
    address = address or f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"
    return Client(REMOTE_ADDR=address, **options)


def sign_up(client: Client, email: str, workspace: str | None = "Acme", **fields: Any) -> Any:
    """Fill in the form of signing up."""
    form = {"email": email, "password1": PASSWORD, **fields}
    if workspace is not None:
        form["workspace_name"] = workspace
    return client.post("/signup", form)


def log_in(client: Client, email: str, password: str = PASSWORD, then: str = "") -> Any:
    """Fill in the form of logging in."""
    return client.post("/login", {"login": email, "password": password, "next": then})


def confirm_password(client: Client) -> None:
    """Give the password again, as what changes how one gets in asks for."""
    client.post("/confirm", {"password": PASSWORD})


def sent_emails() -> list[tuple[str, str]]:
    """Addressee and subject of what was sent by now, jobs included; the outbox is emptied."""
    run_jobs(SEND_EMAIL_TASK)
    sent = [(message.to[0], str(message.subject)) for message in mail.outbox]
    mail.outbox.clear()
    return sent


def emailed_link() -> str:
    """The path of the link in the one email that was sent."""
    run_jobs(SEND_EMAIL_TASK)
    (message,) = mail.outbox
    mail.outbox.clear()
    (link,) = re.findall(r"http://testserver(/\S+)", str(message.body))
    return str(link)


def is_signed_in(client: Client) -> bool:
    """Whether the browser is signed in."""
    return "_auth_user_id" in client.session


def form_errors(response: Any) -> dict[str, list[str]]:
    """What the form on the page complains of."""
    found = response.context["form"].errors
    return {field: list(map(str, sentences)) for field, sentences in found.items()}
