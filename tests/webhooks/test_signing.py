"""Signatures are verified with the standardwebhooks package."""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from apps.webhooks.models import Event
from apps.webhooks.signing import build_body, new_secret, signature_headers

BODY = '{"type":"lead.created","data":{"name":"Zoë"}}'.encode()
EVENT = "c0mwsqprccacpzc2j774bqrdc"


def headers(*secrets: str, at: float | None = None, body: bytes = BODY) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    return signature_headers(secrets=secrets, event_id=EVENT, timestamp=moment, body=body)


def test_new_secret_has_standard_format() -> None:
    secrets = {new_secret() for _ in range(20)}
    assert {(secret[:6], len(b64decode(secret[6:], validate=True))) for secret in secrets} == {
        ("whsec_", 32)
    }
    assert len(secrets) == 20


def test_standardwebhooks_verifies_signature() -> None:
    secret = new_secret()
    assert Webhook(secret).verify(BODY, headers(secret))["data"] == {"name": "Zoë"}


def test_signature_equals_standardwebhooks() -> None:
    secret = new_secret()
    made = Webhook(secret).sign(EVENT, datetime.fromtimestamp(1_700_000_000, UTC), BODY.decode())
    assert headers(secret, at=1_700_000_000)["webhook-signature"] == made


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_changed_request_fails_verification(name: str) -> None:
    secret = new_secret()
    signed = headers(secret)
    changed = {**signed, name: signed[name].replace(signed[name][5], "x" if name else "")}
    if name == "webhook-timestamp":
        changed[name] = str(int(signed[name]) + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, signed)


def test_both_secrets_sign() -> None:
    new, old = new_secret(), new_secret()
    signed = headers(new, old)
    assert [part[:3] for part in signed["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, signed)["type"] == "lead.created"


def test_older_header_is_hmac_of_the_body() -> None:
    new, old = new_secret(), new_secret()
    expected = hmac.new(new.encode(), BODY, hashlib.sha256).hexdigest()
    assert headers(new, old)["X-Webhook-Signature"] == f"sha256={expected}"


def test_body_has_type_timestamp_and_data() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    event = Event(type="lead.created", data={"name": "Zoë “Z”", "n": [1, None]}, created_at=at)
    assert build_body(event).decode() == (
        '{"type":"lead.created","timestamp":"2026-01-02T03:04:05.000000Z",'
        '"data":{"name":"Zoë “Z”","n":[1,null]}}'
    )
