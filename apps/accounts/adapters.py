"""Adapters that customise django-allauth."""

import base64
import secrets
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.accounts.passwords.attempts import slow_down
from apps.infrastructure.encryption import Cipher, DecryptionFailed
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.rate_limit import RateLimit, admit_sync
from apps.infrastructure.task_queue import send_task_on_commit
from apps.infrastructure.web.client_address import client_ip, request_client

SEND_EMAIL_TASK = "apps.accounts.tasks.send_email"
SECOND_FACTOR_SECRETS = Cipher("apps.accounts.second-factor")
log = get_logger(__name__)

_ON_ANYBODYS_REQUEST = {
    f"account/email/{name}"
    for name in (
        "account_already_exists",
        "email_confirmation",
        "email_confirmation_signup",
        "password_reset_key",
        "unknown_account",
    )
}
# Others say what happened to an account, and are always sent.
_MOST = ((6, 3600), (20, 86_400))
# Emails to one mailbox, and in how many seconds.


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Send email from a Celery task: response times do not reveal who has an account."""

    def get_client_ip(self, request: HttpRequest) -> str:
        # Requests without a known address share one rate limit.
        return client_ip(request) or "0.0.0.0"  # noqa: S104

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        super().pre_authenticate(request, **credentials)
        slow_down(str(credentials.get("email", "")))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # By account and address: strangers who guess at an account lock out themselves alone.
        key = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{key}:{request_client(request)}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        if template_prefix in _ON_ANYBODYS_REQUEST and not _may_send_to(email):
            log.warning("email_limited", template=template_prefix)
            return
        links = {name: _public_url(url) for name, url in context.items() if name.endswith("_url")}
        message: EmailMultiAlternatives = self.render_mail(
            template_prefix, email, {"email": email, **context, **links}
        )
        html = render_to_string("emails/plain.html", {"text": message.body})
        send_task_on_commit(SEND_EMAIL_TASK, email, message.subject, message.body, html)


def _may_send_to(email: str) -> bool:
    """Count an email to this mailbox. False if there were too many: whoever asks is not told."""
    local, _, domain = email.strip().lower().rpartition("@")
    mailbox = sha256(f"{local.partition('+')[0]}@{domain}".encode()).hexdigest()
    limits = [RateLimit(f"email:{seconds}:{mailbox}", most, seconds) for most, seconds in _MOST]
    return all(admit_sync(limit).admitted for limit in limits)


def _public_url(url: str) -> str:
    """The same page at PUBLIC_URL: allauth takes the host that whoever sent the request named."""
    return f"{settings.PUBLIC_URL}{urlunsplit(('', '', *urlsplit(url)[2:]))}"


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Encrypt the secrets of authenticator apps and recovery codes in the database."""

    def encrypt(self, text: str) -> str:
        return SECOND_FACTOR_SECRETS.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret. In place of one that cannot be read, one that no code will match.

        So that the user's other factors are still tried; `second_factor.unreadable_factors` says
        which cannot be.
        """
        try:
            return SECOND_FACTOR_SECRETS.decrypt(encrypted_text)
        except DecryptionFailed:
            log.warning("second_factor_unreadable")
            return base64.b32encode(secrets.token_bytes(20)).decode()
