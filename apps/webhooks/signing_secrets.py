"""The secrets that sign deliveries rest sealed; each is sealed anew when it is rotated."""

from __future__ import annotations

from apps.infrastructure.encryption import Cipher, DecryptionFailed
from apps.webhooks.errors import SecretNotDecryptable

_SEAL = Cipher("parley webhook secrets v1")


def encrypt_secret(secret: str) -> str:
    """The secret as it is stored."""
    return _SEAL.encrypt(secret)


def decrypt_secret(sealed: str) -> str:
    """The secret itself. Raises SecretUnreadable."""
    try:
        return _SEAL.decrypt(sealed)
    except DecryptionFailed as error:
        raise SecretNotDecryptable from error
