"""Rules about second factors: staff need one, and setting one up signs out all other browsers."""

from collections import Counter
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from apps.accounts.adapters import SECOND_FACTOR_SECRETS
from apps.accounts.models import User
from apps.infrastructure.encryption import DecryptionFailed, reseal_column

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes replace an authenticator app that was lost; they are no factor of their own."""


def has_second_factor(user: User | AnonymousUser) -> bool:
    """Return whether the user logs in with an authenticator app or a passkey."""
    return bool(is_mfa_enabled(user, FACTORS))


def remove_second_factors(user: User) -> int:
    """Remove all second factors and recovery codes and end all sessions; return how many factors.

    The password is all that the next login asks for: use it for somebody whose identity is known.
    """
    factors = Authenticator.objects.filter(user=user)
    count = int(factors.filter(type__in=FACTORS).count())
    factors.delete()
    for session in UserSession.objects.filter(user=user):
        session.end()
    return count


def end_other_sessions(
    request: HttpRequest, user: User, authenticator: Authenticator, **_: Any
) -> None:
    """End the user's sessions in other browsers, which began with the password alone."""
    if authenticator.type not in FACTORS:
        return
    current = request.session.session_key or ""
    for session in UserSession.objects.filter(user=user).exclude(session_key=current):
        session.end()


def unreadable_factors(user: User) -> set[str]:
    """Return the types of the user's factors whose secret was encrypted under a lost SECRET_KEY."""
    unreadable = set()
    for factor in Authenticator.objects.filter(user=user):
        try:
            _reseal(factor.data)
        except DecryptionFailed:
            unreadable.add(str(factor.type))
    return unreadable


def reseal_second_factors() -> "Counter[str]":
    """Encrypt all secrets of second factors with the current SECRET_KEY (`reseal_column`)."""
    return reseal_column(Authenticator.objects.all(), "data", _reseal)


def _reseal(data: dict[str, Any]) -> dict[str, Any]:
    """Return an authenticator's data with its secrets encrypted anew. Raises DecryptionFailed."""
    sealed = dict(data)
    for name in ("secret", "seed"):
        if name in data:
            sealed[name] = SECOND_FACTOR_SECRETS.reseal(data[name])
    if "migrated_codes" in data:
        codes = data["migrated_codes"]
        sealed["migrated_codes"] = [SECOND_FACTOR_SECRETS.reseal(code) for code in codes]
    return sealed
