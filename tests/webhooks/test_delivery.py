"""Sending deliveries: retries, signatures, recorded results, pruning."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.http import http_date
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from apps.audit.services import SYSTEM
from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint, Event
from apps.webhooks.pruning import prune
from apps.webhooks.services import resend, rotate_secret, send_test
from apps.webhooks.signing import encrypt_secret
from tests.factories import UNREACHABLE_URL, Team, make_webhook_endpoint
from tests.webhook_receiver import Receiver, Reply
from tests.webhooks.delivery_helpers import make_due, seconds_until_retry, send_event

pytestmark = pytest.mark.usefixtures("no_other_deliveries")


def test_event_is_delivered_signed_and_recorded(team: Team, receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(200, b"thanks")
    endpoint, secret = make_webhook_endpoint(team.workspace, url=receiver.url)
    delivery = send_event(endpoint, leadId="c1", name="Zoë")
    (received,) = receiver.received
    payload = Webhook(secret).verify(received.body, dict(received.headers))
    event = Event.objects.get(id=delivery.event_id)
    assert payload == {
        "type": "lead.created",
        "timestamp": event.created_at.isoformat().replace("+00:00", "Z"),
        "data": {"leadId": "c1", "name": "Zoë"},
    }
    assert received.event_id == event.id
    assert received.headers["Content-Type"] == "application/json"
    assert (delivery.status, delivery.attempts, delivery.error) == ("delivered", 1, "")
    assert (delivery.response_status, delivery.response_body) == (200, "thanks")
    assert (delivery.next_attempt_at, delivery.claimed_until) == (None, None)
    assert delivery.body_digest == hashlib.sha256(received.body).hexdigest()
    assert delivery.request_headers.items() <= dict(received.headers).items()
    assert delivery.duration_ms is not None


@pytest.mark.parametrize("status", [300, 302, 400, 404, 429, 500, 502, 503])
def test_other_status_is_retried(endpoint: Endpoint, receiver: Receiver, status: int) -> None:
    receiver.reply_to = lambda _: Reply(status, headers={"Location": "http://127.0.0.1:9/"})
    delivery = send_event(endpoint)
    assert (delivery.status, delivery.response_status) == ("pending", status)
    assert deliver_due(seconds=1) == 0


def test_failed_connection_is_retried(team: Team) -> None:
    delivery = send_event(make_webhook_endpoint(team.workspace, url=UNREACHABLE_URL)[0])
    assert (delivery.status, delivery.error) == ("pending", "Connection failed.")
    assert (delivery.response_status, delivery.response_body) == (None, "")


def test_delivery_that_cannot_be_made_stops_no_other(team: Team, receiver: Receiver) -> None:
    broken, _ = make_webhook_endpoint(team.workspace, url=receiver.url)
    sealed = encrypt_secret("whsec_abc")  # which is no base64
    Endpoint.objects.filter(id=broken.id).update(sealed_secret=sealed)
    poison = send_event(broken, times=0)
    endpoint, _ = make_webhook_endpoint(team.other_workspace, url=receiver.url)
    other = send_event(endpoint, times=0)
    assert deliver_due(seconds=20) == 2
    for delivery in (poison, other):
        delivery.refresh_from_db()
    assert other.status == "delivered"
    assert (poison.status, poison.attempts) == ("pending", 1)
    assert (poison.error, poison.claimed_until) == ("The request could not be made.", None)


def test_retry_has_same_id_and_body_and_new_signature(team: Team, receiver: Receiver) -> None:
    replies = iter([Reply(500, b"oh"), Reply(204)])
    receiver.reply_to = lambda _: next(replies)
    endpoint, secret = make_webhook_endpoint(team.workspace, url=receiver.url)
    delivery = send_event(endpoint, times=2)
    first, second = receiver.received
    assert (first.event_id, first.body) == (second.event_id, second.body)
    for received in receiver.received:
        Webhook(secret).verify(received.body, dict(received.headers))
    assert (delivery.status, delivery.attempts, delivery.response_body) == ("delivered", 2, "")


def test_schedule_is_ten_attempts_in_about_three_days() -> None:
    from config.settings import base

    assert len(base.WEBHOOK_BACKOFF_SECONDS) == 9
    assert 3 <= sum(base.WEBHOOK_BACKOFF_SECONDS) / 86400 < 3.5
    assert list(base.WEBHOOK_BACKOFF_SECONDS) == sorted(base.WEBHOOK_BACKOFF_SECONDS)


def test_retries_follow_schedule_with_jitter(
    endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_BACKOFF_SECONDS = (100, 1000)
    receiver.reply_to = lambda _: Reply(500)
    delivery = send_event(endpoint)
    assert 90 <= seconds_until_retry(delivery) <= 112
    make_due(delivery)
    deliver_due(seconds=1)
    delivery.refresh_from_db()
    assert 900 <= seconds_until_retry(delivery) <= 1102
    make_due(delivery)
    deliver_due(seconds=1)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 3, None)


@pytest.mark.parametrize(
    ("retry_after", "minimum"), [("500", 500), ("9999999", 86_400), ("9" * 30, 86_400)]
)
def test_retry_is_never_before_retry_after_up_to_a_day(
    endpoint: Endpoint, receiver: Receiver, settings: Settings, retry_after: str, minimum: float
) -> None:
    settings.WEBHOOK_BACKOFF_SECONDS = (100,)
    receiver.reply_to = lambda _: Reply(503, headers={"Retry-After": retry_after})
    waits = [seconds_until_retry(send_event(endpoint)) for _ in range(10)]
    assert minimum <= min(waits)
    assert max(waits) <= minimum * 1.1 + 30


@pytest.mark.parametrize(("seconds", "minimum"), [(500, 500), (10**9, 86_400)])
def test_retry_is_never_before_the_date_of_retry_after(
    endpoint: Endpoint, receiver: Receiver, settings: Settings, seconds: float, minimum: float
) -> None:
    settings.WEBHOOK_BACKOFF_SECONDS = (100,)
    now = int(time.time())
    receiver.reply_to = lambda _: Reply(503, headers={"Retry-After": http_date(now + seconds)})
    for _ in range(10):
        delivery = send_event(endpoint)
        assert delivery.next_attempt_at is not None
        assert delivery.next_attempt_at.timestamp() >= now + minimum
        assert seconds_until_retry(delivery) <= minimum * 1.1 + 30


@pytest.mark.parametrize("retry_after", ["10", "0", 10, -3600])
def test_short_retry_after_leaves_the_wait_as_it_is(
    endpoint: Endpoint, receiver: Receiver, settings: Settings, retry_after: Any
) -> None:
    settings.WEBHOOK_BACKOFF_SECONDS = (1000,)
    is_text = isinstance(retry_after, str)
    text = retry_after if is_text else http_date(time.time() + retry_after)
    receiver.reply_to = lambda _: Reply(429, headers={"Retry-After": text})
    assert 900 <= seconds_until_retry(send_event(endpoint)) <= 1130


def test_undecodable_response_is_stored_with_replacements(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.reply_to = lambda _: Reply(200, b"a\x00b\xffc")
    assert send_event(endpoint).response_body == "a\ufffdb\ufffdc"


def test_resend_sends_delivered_event_again(endpoint: Endpoint, receiver: Receiver) -> None:
    delivery = send_event(endpoint)
    assert deliver_due(seconds=1) == 0
    resend(delivery=Delivery.objects.select_related("endpoint").get(id=delivery.id))
    assert deliver_due(seconds=1) == 1
    assert receiver.event_ids == [delivery.event_id] * 2
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)


def test_send_test_delivers_test_event(endpoint: Endpoint, receiver: Receiver) -> None:
    send_test(endpoint=endpoint)
    deliver_due(seconds=1)
    assert [received.payload["type"] for received in receiver.received] == ["webhook.test"]


def test_both_secrets_sign_after_rotation(team: Team, receiver: Receiver) -> None:
    endpoint, old = make_webhook_endpoint(team.workspace, url=receiver.url)
    _, new = rotate_secret(endpoint=endpoint, actor=SYSTEM)
    send_event(endpoint)
    Endpoint.objects.filter(id=endpoint.id).update(
        previous_secret_expires_at=timezone.now() - timedelta(seconds=1)
    )
    send_event(endpoint)
    during, after = receiver.received
    for secret, received in [(old, during), (new, during), (new, after)]:
        Webhook(secret).verify(received.body, dict(received.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(after.body, dict(after.headers))


def test_undecryptable_secret_fails_the_attempt(
    endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.SECRET_KEY = "another-" * 8
    delivery = send_event(endpoint)
    assert delivery.error == "The signing secret cannot be read. Rotate it."
    assert (delivery.status, receiver.connections) == ("pending", 0)


def test_private_address_at_sending_time_is_refused(
    team: Team, receiver: Receiver, settings: Settings
) -> None:
    """The name had a public address when the endpoint was created."""
    settings.WEBHOOK_ALLOW_PRIVATE = False
    url = f"https://hooks.example.com:{receiver.port}/"
    endpoint, _ = make_webhook_endpoint(team.workspace, url=url)
    delivery = send_event(endpoint, times=0)
    assert deliver_due(seconds=1, resolve=lambda _: ["127.0.0.1"]) == 1
    delivery.refresh_from_db()
    assert delivery.error == "The name leads to an address that is not on the public internet."
    assert (delivery.status, receiver.connections) == ("pending", 0)


def test_prune_deletes_old_deliveries_and_events(endpoint: Endpoint) -> None:
    old, young = send_event(endpoint), send_event(endpoint)
    for model, id in ((Delivery, old.id), (Event, old.event_id)):
        rows = model._default_manager.filter(pk=id)
        rows.update(created_at=timezone.now() - timedelta(days=30, seconds=1))
    assert prune() == 2
    assert [delivery.id for delivery in Delivery.objects.filter(endpoint=endpoint)] == [young.id]
    assert Event.objects.filter(workspace=endpoint.workspace_id).count() == 1


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("webhooks_delivery_status_known", {"status": "lost", "next_attempt_at": None}),
        ("webhooks_delivery_ended_is_not_due", {"status": "delivered"}),
        ("webhooks_delivery_ended_is_not_due", {"status": "failed"}),
    ],
)
def test_database_refuses_inconsistent_delivery(
    endpoint: Endpoint, constraint: str, fields: dict[str, Any]
) -> None:
    delivery = send_event(endpoint, times=0)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Delivery.objects.filter(id=delivery.id).update(**fields)


def test_event_has_one_delivery_per_endpoint(endpoint: Endpoint) -> None:
    delivery = send_event(endpoint, times=0)
    with pytest.raises(IntegrityError, match="webhooks_one_delivery"), transaction.atomic():
        Delivery.objects.create(
            workspace_id=endpoint.workspace_id, event_id=delivery.event_id, endpoint=endpoint
        )
