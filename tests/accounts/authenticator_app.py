"""Users with a password and a verified address, and the codes of an authenticator app."""

from __future__ import annotations

import time

from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.core.ids import new_id
from tests.accounts.browser_session import PASSWORD


def make_verified_user() -> User:
    """A new user who can log in with PASSWORD."""
    user = User.objects.create_user(f"dana-{new_id()}@example.com", PASSWORD)
    mark_email_verified(user=user)
    return user


def app_code(secret: str) -> str:
    """The app's current code for a secret, at least three seconds before it expires."""
    if (seconds_left := 30 - time.time() % 30) < 3:
        time.sleep(seconds_left)
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))
