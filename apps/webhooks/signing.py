"""Build and sign the requests of webhooks, and encrypt their secrets.

Standard Webhooks, with the older header of the reference product in addition:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from datetime import UTC

from apps.infrastructure.encryption import Cipher, DecryptionFailed
from apps.webhooks.errors import SecretNotDecryptable
from apps.webhooks.models import Event

PREFIX = "whsec_"
_SECRET_BYTES = 32
_CIPHER = Cipher("parley webhook secrets v1")


def new_secret() -> str:
    """A new signing secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def encrypt_secret(secret: str) -> str:
    """The secret as it is stored."""
    return _CIPHER.encrypt(secret)


def decrypt_secret(encrypted: str) -> str:
    """The secret itself. Raises SecretNotDecryptable."""
    try:
        return _CIPHER.decrypt(encrypted)
    except DecryptionFailed as error:
        raise SecretNotDecryptable from error


def reseal_secret(encrypted: str) -> str:
    """The stored secret, encrypted with the current SECRET_KEY. Raises DecryptionFailed."""
    return _CIPHER.reseal(encrypted)


def build_body(event: Event) -> bytes:
    """The body of an event: the same bytes at every attempt."""
    timestamp = event.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    content = {
        "type": event.type,
        "timestamp": timestamp.replace("+00:00", "Z"),
        "data": event.data,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def signature_headers(
    *, secrets: Sequence[str], event_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The signature headers of one attempt. `timestamp`: Unix seconds of the attempt.

    `webhook-signature` has a signature for each secret, newest first. `X-Webhook-Signature` can
    hold only one: the newest secret's, over the body alone.
    """
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            f"v1,{_standard_signature(secret, content)}" for secret in secrets
        ),
        "X-Webhook-Signature": f"sha256={_body_signature(secrets[0], body)}",
    }


def _standard_signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def _body_signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
