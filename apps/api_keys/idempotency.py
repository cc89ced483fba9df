"""Store responses under their Idempotency-Key, so that a POST sent twice is done once.

The key's row is inserted in the transaction of what the request does. A concurrent request with
the same key waits at the unique index until that transaction ends: if it commits, its response is
there to be sent again; if it rolls back, the key is free and the next request does the work. A
refused request rolls back, so it may be sent again under its key.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.http import HttpRequest

from apps.api_keys.models import IdempotentAnswer
from apps.api_kit.authentication import Replay
from apps.api_kit.callers import Caller
from apps.api_kit.forms import form_digest, is_form
from apps.core.errors import IdempotencyMismatch
from apps.infrastructure.encryption import derive_fernet

_PURPOSE = "parley idempotent answers v1"
_LOCK_TIMEOUT = "10s"

_INSERT = """
INSERT INTO api_keys_idempotentanswer AS existing
  (workspace_id, api_key_id, idempotency_key, request_digest, sealed_body)
VALUES (%(workspace)s, %(api_key)s, %(key)s, %(digest)s, '')
ON CONFLICT (workspace_id, idempotency_key) DO UPDATE
SET api_key_id = excluded.api_key_id, request_digest = excluded.request_digest,
    status = NULL, sealed_body = '', created_at = excluded.created_at
WHERE existing.created_at < statement_timestamp() - make_interval(hours => %(hours)s)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key that this request holds until its transaction ends."""

    row_id: int
    secret: str

    def store_response(self, *, status: int, body: bytes) -> None:
        """Store the response for IDEMPOTENCY_KEY_HOURS, encrypted under the API key."""
        sealed = derive_fernet(self.secret, _PURPOSE).encrypt(body).decode()
        IdempotentAnswer.objects.filter(id=self.row_id).update(status=status, sealed_body=sealed)


def claim_key(*, caller: Caller, secret: str, key: str, request: HttpRequest) -> Claim:
    """Claim the key in the running transaction, waiting for a request that holds it.

    Raises Replay if the request was answered before, IdempotencyMismatch if another request (or
    another API key) used the key, and OperationalError after 10 seconds of waiting.
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
                "hours": settings.IDEMPOTENCY_KEY_HOURS,
            },
        )
        row = cursor.fetchone()
    if row is not None:
        return Claim(row[0], secret)
    stored = IdempotentAnswer.objects.get(workspace_id=caller.workspace_id, idempotency_key=key)
    if stored.request_digest != digest or stored.status is None:
        raise IdempotencyMismatch
    body = derive_fernet(secret, _PURPOSE).decrypt(stored.sealed_body.encode())
    raise Replay(stored.status, body)


def delete_expired_responses() -> int:
    """Delete responses older than IDEMPOTENCY_KEY_HOURS. Returns how many there were."""
    oldest_valid = Now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)
    return IdempotentAnswer.objects.filter(created_at__lt=oldest_valid).delete()[0]


def _request_digest(caller: Caller, request: HttpRequest) -> str:
    """A digest of what makes two requests the same: API key, method, path and body."""
    head = (caller.api_key_id, request.method or "", request.get_full_path())
    body = form_digest(request) if is_form(request) else request.body
    return hashlib.sha256("\n".join(head).encode() + b"\n" + body).hexdigest()
