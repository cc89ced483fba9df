"""Encrypt secrets in the database under keys derived from SECRET_KEY.

The database alone, or a copy of it, reveals none of them. SECRET_KEY_FALLBACKS decrypt too, so
SECRET_KEY can be changed; new values are encrypted with the new one.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes


class DecryptionFailed(Exception):
    """It was encrypted with another key or for another purpose, or has been modified."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """Encrypts for one purpose; what was encrypted for another cannot be decrypted."""

    purpose: str

    def encrypt(self, secret: str) -> str:
        """Return the secret encrypted, as text."""
        return self._fernet().encrypt(secret.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Return the secret. Raises DecryptionFailed."""
        try:
            return self._fernet().decrypt(encrypted.encode()).decode()
        except InvalidToken as error:
            raise DecryptionFailed from error

    def _fernet(self) -> MultiFernet:
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return MultiFernet([derive_fernet(key, self.purpose) for key in keys])


def derive_fernet(key: str | bytes, purpose: str) -> Fernet:
    """Return a Fernet whose key is derived from this one for a purpose."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return Fernet(urlsafe_b64encode(kdf.derive(force_bytes(key))))
