"""Changes to users."""

from allauth.account.models import EmailAddress

from apps.accounts.models import User


def mark_email_verified(*, user: User) -> None:
    """Mark the user's email address as verified without sending an email."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email.lower(), defaults={"verified": True, "primary": True}
    )
