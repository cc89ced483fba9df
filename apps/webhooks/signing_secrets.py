"""The secrets that sign deliveries rest sealed; each is sealed anew when it is rotated."""

from __future__ import annotations

from apps.infrastructure.encryption import Seal, Unreadable
from apps.webhooks.errors import SecretUnreadable

_SEAL = Seal("parley webhook secrets v1")


def seal(secret: str) -> str:
    """The secret as it is stored."""
    return _SEAL.seal(secret)


def unseal(sealed: str) -> str:
    """The secret itself. Raises SecretUnreadable."""
    try:
        return _SEAL.unseal(sealed)
    except Unreadable as error:
        raise SecretUnreadable from error
