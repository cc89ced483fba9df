"""Where allauth is told how Parley does things."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.encoding import force_bytes

from apps.core.jobs import send_on_commit
from apps.core.middleware import client_ip

SEND = "apps.accounts.tasks.send_email"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Email leaves by the job worker, so that no page waits for a mail server or tells by its
    time whether an address is known."""

    def get_client_ip(self, request: HttpRequest) -> str:
        # An address that nobody knows shares one allowance with all others of its kind.
        return client_ip(request) or "0.0.0.0"  # noqa: S104

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        message: EmailMultiAlternatives = self.render_mail(
            template_prefix, email, {"email": email, **context}
        )
        html = render_to_string("emails/plain.html", {"text": message.body})
        send_on_commit(SEND, email, message.subject, message.body, html)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """The secrets of authenticator apps and recovery codes rest encrypted."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    """Encrypts with SECRET_KEY; reads what SECRET_KEY_FALLBACKS encrypted, too."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_key(secret)) for secret in secrets])


def _key(secret: str | bytes) -> bytes:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"apps.accounts.second-factor")
    return base64.urlsafe_b64encode(derive.derive(force_bytes(secret)))
