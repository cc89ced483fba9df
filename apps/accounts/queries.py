"""Queries for users."""

from allauth.account.models import EmailAddress

from apps.accounts.models import User


def get_staff_user(email: str) -> User:
    """Return an active member of staff. Raises ValueError."""
    user = User.objects.filter(email__iexact=email, is_active=True, is_staff=True).first()
    if user is None:
        raise ValueError(f"There is no member of staff {email!r}.")
    return user


def verified_emails(user: User) -> list[str]:
    """Return the addresses that the user has verified, in lower case."""
    verified = EmailAddress.objects.filter(user=user, verified=True)
    return [email.lower() for email in verified.values_list("email", flat=True)]


def has_verified_email(user: User, email: str) -> bool:
    """Return whether the user has verified this address, in any case."""
    verified = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True)
    return bool(verified.exists())
