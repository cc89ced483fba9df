"""Idempotency-Key on every POST: done once, however often and however much at once it is sent.

The key is taken in the transaction of what the request does. Whoever comes with the same key in
that moment waits at the unique index until that transaction ends: committed, its answer is there
to be given again; rolled back, the key is free and the next one does the work. A refusal changed
nothing and keeps nothing, so a request that failed may be sent again under its key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from apps.api_keys.models import IdempotentAnswer
from apps.api_keys.queries import Caller
from apps.core.errors import IdempotencyMismatch, ValidationFailed
from apps.infrastructure.encryption import derive_fernet

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
_PURPOSE = "parley idempotent answers v1"
_LOCK_TIMEOUT = "10s"

_INSERT = """
INSERT INTO api_keys_idempotentanswer AS kept
  (workspace_id, api_key_id, idempotency_key, request_digest, sealed_body)
VALUES (%(workspace)s, %(api_key)s, %(key)s, %(digest)s, '')
ON CONFLICT (workspace_id, idempotency_key) DO UPDATE
SET api_key_id = excluded.api_key_id, request_digest = excluded.request_digest,
    status = NULL, sealed_body = '', created_at = excluded.created_at
WHERE kept.created_at < %(since)s
RETURNING id
"""


class Replay(Exception):
    """The request was answered before: with this status and body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """An idempotency key that this request has taken, until its transaction ends."""

    row_id: int
    secret: str

    def store_response(self, *, status: int, body: bytes) -> None:
        """Keep the answer for a day, for whoever sends the request again."""
        sealed = derive_fernet(self.secret, _PURPOSE).encrypt(body).decode()
        IdempotentAnswer.objects.filter(id=self.row_id).update(status=status, sealed_body=sealed)


def parse_idempotency_key(request: HttpRequest) -> str | None:
    """The request's idempotency key. Raises ValidationFailed for one that is none."""
    key = request.headers.get(HEADER)
    if key is not None and not (1 <= len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise ValidationFailed({HEADER: ["This must be 1 to 255 printable characters."]})
    return key


def claim_key(*, caller: Caller, secret: str, key: str, request: HttpRequest) -> IdempotencyClaim:
    """Take the key for this request, in the running transaction, waiting for one that has it.

    Raises Replay where the request was answered before, IdempotencyMismatch where another request
    (or another API key) has it, and OperationalError after 10 seconds of waiting.
    """
    digest = _request_digest(caller, request)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        cursor.execute(
            _INSERT,
            {
                "workspace": caller.workspace_id,
                "api_key": caller.api_key_id,
                "key": key,
                "digest": digest,
                "since": _oldest_valid(),
            },
        )
        row = cursor.fetchone()
    if row is not None:
        return IdempotencyClaim(row[0], secret)
    kept = IdempotentAnswer.objects.get(workspace_id=caller.workspace_id, idempotency_key=key)
    if kept.request_digest != digest or kept.status is None:
        raise IdempotencyMismatch
    raise Replay(kept.status, derive_fernet(secret, _PURPOSE).decrypt(kept.sealed_body.encode()))


def delete_expired_responses() -> int:
    """Delete the answers that are kept no longer. Returns how many there were."""
    return IdempotentAnswer.objects.filter(created_at__lt=_oldest_valid()).delete()[0]


def _oldest_valid() -> datetime:
    """An answer from before this moment is kept no longer."""
    return timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)


def _request_digest(caller: Caller, request: HttpRequest) -> str:
    """Of all that makes two requests the same: who asks (by which key), where and what."""
    asked = (caller.api_key_id, request.method or "", request.get_full_path())
    return hashlib.sha256("\n".join(asked).encode() + b"\n" + request.body).hexdigest()
