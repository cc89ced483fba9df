"""Queries for users."""

from allauth.account.models import EmailAddress

from apps.accounts.models import User


def has_verified_email(user: User, email: str) -> bool:
    """Return whether the user has verified this address, in any case."""
    verified = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True)
    return bool(verified.exists())
