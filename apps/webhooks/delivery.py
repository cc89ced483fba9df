"""Send due webhook deliveries, at least once each.

Workers are not told which delivery to send: each claims the next one of the workspace whose turn it
is. The claim counts the attempt and moves the next attempt to its own end, so that the delivery of
a worker that died is due again by itself. The result of an attempt is saved only if no later
attempt has begun.

    2xx              delivered
    410              failed; the endpoint is disabled
    anything else    retried after the next wait of WEBHOOK_BACKOFF_SECONDS, and never before the
                     time of a Retry-After; or failed after the last. The endpoint is disabled once
                     nothing has succeeded for WEBHOOK_FAILING_DAYS, and paused while its requests
                     time out
"""

import hashlib
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from apps.infrastructure.http import safe_http
from apps.infrastructure.http.safe_http import (
    HttpResponse,
    RequestFailed,
    RequestTimedOut,
    Resolver,
    resolve_host,
)
from apps.infrastructure.http.url_validation import UrlNotAllowed
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.clock import database_now
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.webhooks.claiming import claim_delivery
from apps.webhooks.endpoint_health import record_failure, record_success
from apps.webhooks.errors import SecretNotDecryptable
from apps.webhooks.models import Delivery, DeliveryStatus, DisabledReason, Endpoint
from apps.webhooks.services import disable_endpoint
from apps.webhooks.signing import build_body, decrypt_secret, signature_headers

log = get_logger(__name__)

_JITTER = 0.1
_MAX_RETRY_AFTER_SECONDS = 24 * 3600


def deliver_due(*, seconds: float, resolve: Resolver = resolve_host) -> int:
    """Send due deliveries one by one until none is due or the time is up. Returns how many."""
    deadline = time.monotonic() + seconds
    sent = 0
    while (delivery := claim_delivery()) is not None:
        _send(delivery, resolve)
        sent += 1
        if time.monotonic() >= deadline:
            break
    return sent


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
    if expires_at is not None and database_now() < expires_at:
        secrets.append(decrypt_secret(endpoint.sealed_previous_secret))
    return secrets


def _send(delivery: Delivery, resolve: Resolver) -> None:
    started = time.monotonic()
    result: dict[str, Any] = {"response_status": None, "response_body": "", "error": ""}
    response: HttpResponse | None = None
    timed_out = False
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
        timed_out = isinstance(error, RequestTimedOut)
    except SecretNotDecryptable:
        log.error("webhook_secret_unreadable", endpoint_id=delivery.endpoint_id)
        result["error"] = "The signing secret cannot be read. Rotate it."
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:  # a fault of ours, which must not stop other deliveries
        log.exception("webhook_not_sent", delivery_id=delivery.id)
        result["error"] = "The request could not be made."
    if response is not None:
        text = response.body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        result |= {"response_status": response.status, "response_body": text}
    result["duration_ms"] = round((time.monotonic() - started) * 1000)
    _record_attempt(delivery, response, result, timed_out=timed_out)


def _record_attempt(
    delivery: Delivery, response: HttpResponse | None, result: dict[str, Any], *, timed_out: bool
) -> None:
    """Save the result, then finish or retry the delivery, unless a later attempt has begun."""
    status = response.status if response else 0
    key = {"workspace_id": delivery.workspace_id, "endpoint_id": delivery.endpoint_id}
    if 200 <= status < 300:
        result |= {"status": DeliveryStatus.DELIVERED, "next_attempt_at": None}
        if _update_if_current(delivery, result):
            record_success(**key)
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
    record_failure(**key, timed_out=timed_out)
    if status == 410:
        disable_endpoint(endpoint=delivery.endpoint, reason=DisabledReason.GONE)
    elif _has_failed_for_days(delivery.endpoint):
        disable_endpoint(endpoint=delivery.endpoint, reason=DisabledReason.FAILING)


def _has_failed_for_days(endpoint: Endpoint) -> bool:
    oldest = Now() - timedelta(days=settings.WEBHOOK_FAILING_DAYS)
    failing = Endpoint.objects.filter(workspace_id=endpoint.workspace_id, id=endpoint.id)
    return failing.filter(failing_since__lte=oldest).exists()


def _seconds_until_retry(attempts: int, response: HttpResponse | None) -> float | None:
    """Seconds until the next attempt; None after the last.

    Never less than Retry-After, up to a day: jitter makes that wait longer only.
    """
    waits = settings.WEBHOOK_BACKOFF_SECONDS
    if attempts > len(waits):
        return None
    wait = waits[attempts - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
    if response is None or response.retry_after is None:
        return float(wait)
    least = min(response.retry_after, _MAX_RETRY_AFTER_SECONDS)
    return float(max(wait, least * random.uniform(1, 1 + _JITTER)))  # noqa: S311


def _update_if_current(delivery: Delivery, fields: dict[str, Any]) -> bool:
    current = Delivery.objects.filter(
        workspace_id=delivery.workspace_id,
        id=delivery.id,
        status=DeliveryStatus.PENDING,
        attempts=delivery.attempts,
    )
    return bool(current.update(claimed_until=None, **fields))
