"""Reads of people."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from apps.accounts.models import User


def has_verified_email(user: User, email: str) -> bool:
    """Whether the person has shown that this address is theirs."""
    shown = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True)
    return bool(shown.exists())
