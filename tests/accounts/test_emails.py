"""Emails of authentication: what a refusing server does, and how many a mailbox gets."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import TestCase
from pytest_django import Settings

from apps.accounts.adapters import SEND_EMAIL_TASK, AccountAdapter
from apps.accounts.tasks import send_email
from apps.core.ids import new_id
from apps.infrastructure.mail import EmailNotSent
from tests.smtp_server import SmtpServer
from tests.task_runner import run_queued_tasks
from tests.web_processes import free_port


def sent_to(*emails: str, template: str) -> int:
    """How many of these emails are sent."""
    run_queued_tasks()
    with TestCase.captureOnCommitCallbacks(execute=True):
        for email in emails:
            context = {"signup_url": "http://a/b"}
            AccountAdapter().send_mail(f"account/email/{template}", email, context)
    return len(run_queued_tasks(SEND_EMAIL_TASK))


@pytest.mark.usefixtures("db")
def test_mailbox_gets_few_emails_on_anybodys_request() -> None:
    name = new_id()
    aliases = [f"{name}+{number}@example.com" for number in range(4)]
    emails = [f"{name}@example.com"] * 4 + aliases
    assert sent_to(*emails, template="unknown_account") == 6
    assert sent_to(f"{new_id()}@example.com", template="unknown_account") == 1
    assert sent_to(*emails, template="password_changed") == len(emails)


def test_refused_email_is_not_sent_again(settings: Settings) -> None:
    with SmtpServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        server.reply_to_recipient = lambda _: "550 no such user"
        send_email("ana@example.com", "Subject", "text", "<p>html</p>")
        server.reply_to_recipient = lambda _: "450 later"
        with pytest.raises(EmailNotSent):
            send_email.run("ana@example.com", "Subject", "text", "<p>html</p>")
    settings.EMAIL_PORT = free_port()
    with pytest.raises(EmailNotSent):
        send_email.run("ana@example.com", "Subject", "text", "<p>html</p>")
    assert (server.recipients, mail.outbox) == (["ana@example.com"] * 2, [])
