"""Send due webhook deliveries, at least once each.

Workers are not told which delivery to send: each claims the one that is due longest. The claim
counts the attempt and moves the next attempt to its own end, so that the delivery of a worker that
died is due again by itself. The result of an attempt is saved only if no later attempt has begun.

    2xx              delivered
    410              failed; the endpoint is disabled
    anything else    retried after the next wait of WEBHOOK_BACKOFF_SECONDS, or failed after the
                     last; the endpoint is disabled once nothing has succeeded for
                     WEBHOOK_FAILING_DAYS
"""

import hashlib
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from apps.infrastructure.http import safe_http
from apps.infrastructure.http.safe_http import HttpResponse, RequestFailed, Resolver, resolve_host
from apps.infrastructure.http.url_validation import UrlNotAllowed
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.claims import claim_next, claim_statement
from apps.webhooks.errors import SecretNotDecryptable
from apps.webhooks.models import Delivery, DeliveryStatus, DisabledReason, Endpoint
from apps.webhooks.services import disable_endpoint
from apps.webhooks.signing import build_body, decrypt_secret, signature_headers

log = get_logger(__name__)

MAX_CONCURRENT_PER_ENDPOINT = 4
"""Concurrent requests to one endpoint: a slow receiver must not occupy all workers."""

_JITTER = 0.1
_MAX_WAIT_SECONDS = 24 * 3600

# Deliveries to endpoints with too many concurrent requests are skipped.
_CLAIM = claim_statement(
    table="webhooks_delivery",
    join="JOIN webhooks_endpoint ON webhooks_endpoint.id = endpoint_id",
    active="claimed_until > statement_timestamp()",
    group="endpoint_id",
    due="status = 'pending' AND next_attempt_at <= statement_timestamp() AND disabled_at IS NULL",
    order_by="next_attempt_at",
    assign="attempts = attempts + 1, last_attempt_at = statement_timestamp(),"
    " next_attempt_at = statement_timestamp() + make_interval(secs => %(seconds)s)",
)


def deliver_due(*, seconds: float, resolve: Resolver = resolve_host) -> int:
    """Send due deliveries one by one until none is due or the time is up. Returns how many."""
    deadline = time.monotonic() + seconds
    sent = 0
    while (delivery := _claim()) is not None:
        _send(delivery, resolve)
        sent += 1
        if time.monotonic() >= deadline:
            break
    return sent


def _claim() -> Delivery | None:
    """Claim the delivery that is due longest, for twice as long as an attempt may take."""
    delivery_id = claim_next(
        _CLAIM,
        max_per_group=MAX_CONCURRENT_PER_ENDPOINT,
        seconds=2 * settings.WEBHOOK_TIMEOUT_SECONDS,
    )
    if delivery_id is None:
        return None
    return Delivery.objects.select_related("event", "endpoint").filter(id=delivery_id).first()


def _request_headers(delivery: Delivery, body: bytes) -> dict[str, str]:
    """Raises SecretNotDecryptable."""
    signature = signature_headers(
        secrets=_active_secrets(delivery.endpoint),
        event_id=delivery.event_id,
        timestamp=int(time.time()),
        body=body,
    )
    return {"Content-Type": "application/json", "User-Agent": "Parley-Webhooks/1", **signature}


def _active_secrets(endpoint: Endpoint) -> Sequence[str]:
    """The secrets that sign now, newest first."""
    secrets = [decrypt_secret(endpoint.sealed_secret)]
    expires_at = endpoint.previous_secret_expires_at
    if expires_at is not None and timezone.now() < expires_at:
        secrets.append(decrypt_secret(endpoint.sealed_previous_secret))
    return secrets


def _send(delivery: Delivery, resolve: Resolver) -> None:
    started = time.monotonic()
    result: dict[str, Any] = {"response_status": None, "response_body": "", "error": ""}
    response: HttpResponse | None = None
    try:
        body = build_body(delivery.event)
        headers = _request_headers(delivery, body)
        result |= {"request_headers": headers, "body_digest": hashlib.sha256(body).hexdigest()}
        response = safe_http.post(
            delivery.endpoint.url,
            body=body,
            headers=headers,
            seconds=settings.WEBHOOK_TIMEOUT_SECONDS,
            allow_private=settings.WEBHOOK_ALLOW_PRIVATE,
            resolve=resolve,
        )
    except (RequestFailed, UrlNotAllowed) as error:
        result["error"] = str(error)
    except SecretNotDecryptable:
        log.error("webhook_secret_unreadable", endpoint_id=delivery.endpoint_id)
        result["error"] = "The signing secret cannot be read. Rotate it."
    if response is not None:
        text = response.body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        result |= {"response_status": response.status, "response_body": text}
    result["duration_ms"] = round((time.monotonic() - started) * 1000)
    _record_attempt(delivery, response, result)


def _record_attempt(
    delivery: Delivery, response: HttpResponse | None, result: dict[str, Any]
) -> None:
    """Save the result, then finish or retry the delivery, unless a later attempt has begun."""
    status = response.status if response else 0
    endpoint = Endpoint.objects.filter(workspace_id=delivery.workspace_id, id=delivery.endpoint_id)
    if 200 <= status < 300:
        result |= {"status": DeliveryStatus.DELIVERED, "next_attempt_at": None}
        if _update_if_current(delivery, result):
            endpoint.filter(failing_since__isnull=False).update(failing_since=None)
        return
    wait = None if status == 410 else _seconds_until_retry(delivery.attempts, response)
    if wait is None:
        result |= {"status": DeliveryStatus.FAILED, "next_attempt_at": None}
    else:
        result["next_attempt_at"] = Now() + timedelta(seconds=wait)
    if not _update_if_current(delivery, result):
        return
    log.info(
        "webhook_attempt_failed", delivery_id=delivery.id, status=status, error=result["error"]
    )
    endpoint.update(failing_since=Coalesce("failing_since", Now()))
    if status == 410:
        disable_endpoint(endpoint=delivery.endpoint, reason=DisabledReason.GONE)
    elif endpoint.filter(
        failing_since__lte=Now() - timedelta(days=settings.WEBHOOK_FAILING_DAYS)
    ).exists():
        disable_endpoint(endpoint=delivery.endpoint, reason=DisabledReason.FAILING)


def _seconds_until_retry(attempts: int, response: HttpResponse | None) -> float | None:
    """Seconds until the next attempt; None after the last. Retry-After can make it longer."""
    waits = settings.WEBHOOK_BACKOFF_SECONDS
    if attempts > len(waits):
        return None
    retry_after = (response.retry_after or 0) if response else 0
    wait = max(waits[attempts - 1], min(retry_after, _MAX_WAIT_SECONDS))
    return float(wait) * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311


def _update_if_current(delivery: Delivery, fields: dict[str, Any]) -> bool:
    current = Delivery.objects.filter(
        workspace_id=delivery.workspace_id,
        id=delivery.id,
        status=DeliveryStatus.PENDING,
        attempts=delivery.attempts,
    )
    return bool(current.update(claimed_until=None, **fields))
