"""Links in emails about accounts are at PUBLIC_URL, whatever host the request named."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.core.checks import run_checks

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.core.ids import new_id
from tests.accounts.browser_session import PASSWORD, SEND_EMAIL_TASK, new_browser, sign_up
from tests.task_runner import run_queued_tasks


@pytest.fixture
def public(committed: None, settings: Any) -> str:
    run_queued_tasks()
    mail.outbox.clear()
    settings.PUBLIC_URL = "https://parley.example/base"
    settings.ALLOWED_HOSTS = ["*"]
    return str(settings.PUBLIC_URL)


def links() -> set[str]:
    """The addresses in all emails, without the secret."""
    run_queued_tasks(SEND_EMAIL_TASK)
    texts = [str(message.body) for message in mail.outbox]
    found = {link for text in texts for link in re.findall(r"https?://\S+", text)}
    mail.outbox.clear()
    return {"/".join(link.split("/")[:5]) for link in found}


def test_links_are_at_the_public_address(public: str) -> None:
    user = User.objects.create_user(f"dana-{new_id()}@example.com", PASSWORD)
    mark_email_verified(user=user)
    client = new_browser(HTTP_HOST="evil.example")
    client.post("/password/reset", {"email": user.email})
    client.post("/password/reset", {"email": f"unknown-{new_id()}@example.com"})
    assert links() == {f"{public}/password", f"{public}/signup"}
    sign_up(new_browser(HTTP_HOST="evil.example"), f"new-{new_id()}@example.com")
    sign_up(new_browser(HTTP_HOST="evil.example"), user.email)
    assert links() == {f"{public}/verify-email", f"{public}/password"}


def test_deployment_check_refuses_any_host_and_staff_by_password(settings: Any) -> None:
    def found() -> set[str]:
        checks = run_checks(include_deployment_checks=True)
        return {str(each.id) for each in checks if str(each.id).startswith("parley.")}

    settings.ALLOWED_HOSTS = ["parley.example", "*"]
    settings.STAFF_SECOND_FACTOR_REQUIRED = False
    assert found() == {"parley.E001", "parley.E002"}
    settings.ALLOWED_HOSTS = ["parley.example", ".parley.example"]
    settings.STAFF_SECOND_FACTOR_REQUIRED = True
    assert found() == set()
