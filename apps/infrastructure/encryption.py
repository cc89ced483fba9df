"""Encrypt secrets in the database under keys derived from SECRET_KEY.

The database alone, or a copy of it, reveals none of them. SECRET_KEY_FALLBACKS decrypt too, so
SECRET_KEY can be changed; new values are encrypted with the new one, and `manage.py reseal_secrets`
encrypts the others anew.
"""

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import QuerySet
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

    def reseal(self, encrypted: str) -> str:
        """Return it encrypted with SECRET_KEY: the same text if it is. Raises DecryptionFailed."""
        try:
            derive_fernet(settings.SECRET_KEY, self.purpose).decrypt(encrypted.encode())
        except InvalidToken:
            return self.encrypt(self.decrypt(encrypted))
        return encrypted

    def _fernet(self) -> MultiFernet:
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return MultiFernet([derive_fernet(key, self.purpose) for key in keys])


def derive_fernet(key: str | bytes, purpose: str) -> Fernet:
    """Return a Fernet whose key is derived from this one for a purpose."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return Fernet(urlsafe_b64encode(kdf.derive(force_bytes(key))))


RESEAL_BATCH_SIZE = 500
_MAX_ATTEMPTS = 5


def reseal_column(rows: QuerySet[Any], column: str, reseal: Callable[[Any], Any]) -> "Counter[str]":
    """Replace the column of each row by `reseal` of it; return how many rows had which outcome.

    The outcomes are `resealed`, `current` (encrypted with SECRET_KEY before) and `unreadable`.
    A row is written only if it is still as it was read, so that writers lose nothing meanwhile.
    """
    counts: Counter[str] = Counter(resealed=0, current=0, unreadable=0)
    last: Any = None
    while True:
        batch = rows.order_by("pk") if last is None else rows.filter(pk__gt=last).order_by("pk")
        keys = list(batch.values_list("pk", flat=True)[:RESEAL_BATCH_SIZE])
        if not keys:
            return counts
        counts.update(_reseal_row(rows, key, column, reseal) for key in keys)
        last = keys[-1]


def _reseal_row(rows: QuerySet[Any], key: Any, column: str, reseal: Callable[[Any], Any]) -> str:
    row = rows.filter(pk=key)
    for _ in range(_MAX_ATTEMPTS):
        value = row.values_list(column, flat=True).first()
        if not value:
            return "current"
        try:
            sealed = reseal(value)
        except DecryptionFailed:
            return "unreadable"
        if sealed == value:
            return "current"
        if row.filter(**{column: value}).update(**{column: sealed}):
            return "resealed"
    return "current"  # somebody writes it all the time, with SECRET_KEY
