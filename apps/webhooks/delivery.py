"""Sending what is due, at least once.

A delivery is taken by one statement that counts the attempt and moves its next one to when the
claim ends, so a worker that dies loses nothing: the delivery is due again by itself. Nobody is
ever asked to send a certain delivery, only to look; being asked twice, or by the clock, is the
same. What an attempt met is written only if it is still the last attempt.

    2xx                  delivered
    410                  failed; the endpoint is switched off
    anything else        again after the next wait of WEBHOOK_BACKOFF_SECONDS, or failed after the
                         last; the endpoint is switched off once nothing has succeeded for
                         WEBHOOK_FAILING_DAYS
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
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
from apps.webhooks.signing import build_body, signature_headers
from apps.webhooks.signing_secrets import decrypt_secret

log = get_logger(__name__)

MAX_CONCURRENT_PER_ENDPOINT = 4
"""Requests to one endpoint at a moment: a slow receiver does not keep all senders."""

_JITTER = 0.1
_MAX_WAIT_SECONDS = 24 * 3600
_PRUNE_BATCH_SIZE = 5000

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


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """One request as it is sent."""

    body: bytes
    headers: dict[str, str]


def deliver_due(*, seconds: float, resolve: Resolver = resolve_host) -> int:
    """Send what is due, one after the other, until nothing is or time is up. Returns how many."""
    until = time.monotonic() + seconds
    sent = 0
    while (delivery := _claim()) is not None:
        _send(delivery, resolve)
        sent += 1
        if time.monotonic() >= until:
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


def _build_request(delivery: Delivery) -> SignedRequest:
    """Raises SecretUnreadable."""
    body = build_body(delivery.event)
    signed = signature_headers(
        secrets=_active_secrets(delivery.endpoint),
        event_id=delivery.event_id,
        timestamp=int(time.time()),
        body=body,
    )
    headers = {"Content-Type": "application/json", "User-Agent": "Parley-Webhooks/1", **signed}
    return SignedRequest(body, headers)


def _active_secrets(endpoint: Endpoint) -> Sequence[str]:
    """The secrets that sign now, the newest first."""
    secrets = [decrypt_secret(endpoint.sealed_secret)]
    until = endpoint.previous_secret_expires_at
    if until is not None and timezone.now() < until:
        secrets.append(decrypt_secret(endpoint.sealed_previous_secret))
    return secrets


def _send(delivery: Delivery, resolve: Resolver) -> None:
    began = time.monotonic()
    met: dict[str, Any] = {"response_status": None, "response_body": "", "error": ""}
    answer: HttpResponse | None = None
    try:
        attempt = _build_request(delivery)
        met |= {
            "request_headers": attempt.headers,
            "body_digest": hashlib.sha256(attempt.body).hexdigest(),
        }
        answer = safe_http.post(
            delivery.endpoint.url,
            body=attempt.body,
            headers=attempt.headers,
            seconds=settings.WEBHOOK_TIMEOUT_SECONDS,
            allow_private=settings.WEBHOOK_ALLOW_PRIVATE,
            resolve=resolve,
        )
    except (RequestFailed, UrlNotAllowed) as error:
        met["error"] = str(error)
    except SecretNotDecryptable:
        log.error("webhook_secret_unreadable", endpoint_id=delivery.endpoint_id)
        met["error"] = "The signing secret cannot be read. Rotate it."
    if answer is not None:
        text = answer.body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        met |= {"response_status": answer.status, "response_body": text}
    met["duration_ms"] = round((time.monotonic() - began) * 1000)
    _record_attempt(delivery, answer, met)


def _record_attempt(delivery: Delivery, answer: HttpResponse | None, met: dict[str, Any]) -> None:
    """Write down what the attempt met and what follows, unless a later one has begun."""
    status = answer.status if answer else 0
    endpoint = Endpoint.objects.filter(workspace_id=delivery.workspace_id, id=delivery.endpoint_id)
    if 200 <= status < 300:
        if _finish(delivery, met, DeliveryStatus.DELIVERED):
            endpoint.filter(failing_since__isnull=False).update(failing_since=None)
        return
    wait = None if status == 410 else _seconds_until_retry(delivery.attempts, answer)
    if wait is None:
        mine = _finish(delivery, met, DeliveryStatus.FAILED)
    else:
        mine = _schedule_retry(delivery, met, wait)
    if not mine:
        return
    log.info("webhook_attempt_failed", delivery_id=delivery.id, status=status, error=met["error"])
    endpoint.update(failing_since=Coalesce("failing_since", Now()))
    if status == 410:
        disable_endpoint(endpoint=delivery.endpoint, reason=DisabledReason.GONE)
    elif endpoint.filter(
        failing_since__lte=Now() - timedelta(days=settings.WEBHOOK_FAILING_DAYS)
    ).exists():
        disable_endpoint(endpoint=delivery.endpoint, reason=DisabledReason.FAILING)


def _seconds_until_retry(attempts: int, answer: HttpResponse | None) -> float | None:
    """Seconds until the next attempt; None after the last. A receiver may ask for longer."""
    waits = settings.WEBHOOK_BACKOFF_SECONDS
    if attempts > len(waits):
        return None
    asked = (answer.retry_after or 0) if answer else 0
    wait = max(waits[attempts - 1], min(asked, _MAX_WAIT_SECONDS))
    return float(wait) * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311


def _finish(delivery: Delivery, met: dict[str, Any], status: DeliveryStatus) -> bool:
    return _update_if_current(delivery, met | {"status": status, "next_attempt_at": None})


def _schedule_retry(delivery: Delivery, met: dict[str, Any], wait: float) -> bool:
    return _update_if_current(delivery, met | {"next_attempt_at": Now() + timedelta(seconds=wait)})


def _update_if_current(delivery: Delivery, fields: dict[str, Any]) -> bool:
    mine = Delivery.objects.filter(
        workspace_id=delivery.workspace_id,
        id=delivery.id,
        status=DeliveryStatus.PENDING,
        attempts=delivery.attempts,
    )
    return bool(mine.update(claimed_until=None, **fields))


_PRUNE_STATEMENTS = (
    """
DELETE FROM webhooks_delivery WHERE id IN (
  SELECT id FROM webhooks_delivery
  WHERE created_at < statement_timestamp() - make_interval(days => %(days)s)
  ORDER BY created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
""",
    """
DELETE FROM webhooks_event WHERE id IN (
  SELECT event.id FROM webhooks_event AS event
  WHERE event.created_at < statement_timestamp() - make_interval(days => %(days)s)
    AND NOT EXISTS (SELECT FROM webhooks_delivery WHERE event_id = event.id)
  ORDER BY event.created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
""",
)


def prune() -> int:
    """Delete deliveries after WEBHOOK_KEPT_DAYS, and events that are nobody's. Returns how many."""
    values = {"days": settings.WEBHOOK_KEPT_DAYS, "most": _PRUNE_BATCH_SIZE}
    deleted = 0
    for statement in _PRUNE_STATEMENTS:
        in_this_round = _PRUNE_BATCH_SIZE
        while in_this_round == _PRUNE_BATCH_SIZE:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                in_this_round = cursor.rowcount
            deleted += in_this_round
    return deleted
