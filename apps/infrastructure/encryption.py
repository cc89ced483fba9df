"""Secrets that must be read again, sealed in the database under a key made from SECRET_KEY.

Whoever has only the database, or a copy of it, can read none. SECRET_KEY_FALLBACKS unseal too, so
SECRET_KEY can be changed; what is written anew is sealed with the new one.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes


class DecryptionFailed(Exception):
    """It was sealed under another key or for another purpose, or has been changed."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """Seals for one purpose: what is sealed for another opens to no one here."""

    purpose: str

    def encrypt(self, secret: str) -> str:
        """The secret as it is stored."""
        return self._box().encrypt(secret.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """The secret itself. Raises Unreadable."""
        try:
            return self._box().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise DecryptionFailed from error

    def _box(self) -> MultiFernet:
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return MultiFernet([derive_fernet(key, self.purpose) for key in keys])


def derive_fernet(key: str | bytes, purpose: str) -> Fernet:
    """Encrypts and reads under a key made of this one, for this purpose."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return Fernet(urlsafe_b64encode(kdf.derive(force_bytes(key))))
