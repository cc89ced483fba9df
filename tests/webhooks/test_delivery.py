"""Sending what is due: what each answer leads to, and what is kept."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from apps.audit.services import SYSTEM
from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint, Event
from apps.webhooks.pruning import prune
from apps.webhooks.services import (
    resend,
    rotate_secret,
    send_test,
)
from tests.factories import UNREACHABLE_URL, Team, make_webhook_endpoint
from tests.receiver import Receiver, Reply
from tests.webhooks.delivery_helpers import hurry, sent, wait

pytestmark = pytest.mark.usefixtures("nothing_else_is_due")


def test_event_is_delivered_signed_and_written_down(team: Team, receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(200, b"thanks")
    endpoint, secret = make_webhook_endpoint(team.workspace, url=receiver.url)
    delivery = sent(endpoint, leadId="c1", name="Zoë")
    (received,) = receiver.received
    told = Webhook(secret).verify(received.body, dict(received.headers))
    event = Event.objects.get(id=delivery.event_id)
    assert told == {
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
def test_any_other_answer_is_tried_again(
    endpoint: Endpoint, receiver: Receiver, status: int
) -> None:
    receiver.answering = lambda _: Reply(status, headers={"Location": "http://127.0.0.1:9/"})
    delivery = sent(endpoint)
    assert (delivery.status, delivery.response_status) == ("pending", status)
    assert deliver_due(seconds=1) == 0


def test_no_answer_is_tried_again_and_says_why(team: Team) -> None:
    delivery = sent(make_webhook_endpoint(team.workspace, url=UNREACHABLE_URL)[0])
    assert (delivery.status, delivery.error) == ("pending", "Connection failed.")
    assert (delivery.response_status, delivery.response_body) == (None, "")


def test_retry_has_the_same_id_and_body_and_a_signature_of_its_own(
    team: Team, receiver: Receiver
) -> None:
    replies = iter([Reply(500, b"oh"), Reply(204)])
    receiver.answering = lambda _: next(replies)
    endpoint, secret = make_webhook_endpoint(team.workspace, url=receiver.url)
    delivery = sent(endpoint, times=2)
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


def test_waits_follow_the_schedule_with_some_chance_and_then_end(
    endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_BACKOFF_SECONDS = (100, 1000)
    receiver.answering = lambda _: Reply(500)
    delivery = sent(endpoint)
    assert 90 <= wait(delivery) <= 112
    hurry(delivery)
    deliver_due(seconds=1)
    delivery.refresh_from_db()
    assert 900 <= wait(delivery) <= 1102
    hurry(delivery)
    deliver_due(seconds=1)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 3, None)


@pytest.mark.parametrize(("asked", "least"), [("500", 450), ("10", 90), ("9999999", 77_760)])
def test_receiver_may_ask_for_more_patience_up_to_a_day(
    endpoint: Endpoint, receiver: Receiver, settings: Settings, asked: str, least: float
) -> None:
    settings.WEBHOOK_BACKOFF_SECONDS = (100,)
    receiver.answering = lambda _: Reply(429, headers={"Retry-After": asked})
    waited = wait(sent(endpoint))
    assert least <= waited <= least / 0.9 * 1.1 + 2


def test_answer_that_is_no_text_is_kept_as_far_as_it_can_be(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answering = lambda _: Reply(200, b"a\x00b\xffc")
    assert sent(endpoint).response_body == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_delivered_event_is_sent_once_more_when_asked(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    delivery = sent(endpoint)
    assert deliver_due(seconds=1) == 0
    resend(delivery=Delivery.objects.select_related("endpoint").get(id=delivery.id))
    assert deliver_due(seconds=1) == 1
    assert receiver.ids == [delivery.event_id] * 2
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)


def test_test_event_arrives(endpoint: Endpoint, receiver: Receiver) -> None:
    send_test(endpoint=endpoint)
    deliver_due(seconds=1)
    assert [received.told["type"] for received in receiver.received] == ["webhook.test"]


def test_rotated_secret_signs_beside_the_old_one_until_that_ends(
    team: Team, receiver: Receiver
) -> None:
    endpoint, old = make_webhook_endpoint(team.workspace, url=receiver.url)
    _, new = rotate_secret(endpoint=endpoint, actor=SYSTEM)
    sent(endpoint)
    Endpoint.objects.filter(id=endpoint.id).update(
        previous_secret_expires_at=timezone.now() - timedelta(seconds=1)
    )
    sent(endpoint)
    both, one = receiver.received
    for secret, received in [(old, both), (new, both), (new, one)]:
        Webhook(secret).verify(received.body, dict(received.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(one.body, dict(one.headers))


def test_secret_that_cannot_be_read_is_a_failure_that_says_so(
    endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.SECRET_KEY = "another-" * 8
    delivery = sent(endpoint)
    assert delivery.error == "The signing secret cannot be read. Rotate it."
    assert (delivery.status, receiver.connections) == ("pending", 0)


def test_name_that_leads_inside_now_is_not_connected_to(
    team: Team, receiver: Receiver, settings: Settings
) -> None:
    """It was public when the endpoint was made; what counts is the moment of sending."""
    settings.WEBHOOK_ALLOW_PRIVATE = False
    url = f"https://hooks.example.com:{receiver.port}/"
    endpoint, _ = make_webhook_endpoint(team.workspace, url=url)
    delivery = sent(endpoint, times=0)
    assert deliver_due(seconds=1, resolve=lambda _: ["127.0.0.1"]) == 1
    delivery.refresh_from_db()
    assert delivery.error == "The name leads to an address that is not on the public internet."
    assert (delivery.status, receiver.connections) == ("pending", 0)


def test_old_deliveries_and_events_are_deleted(endpoint: Endpoint) -> None:
    old, young = sent(endpoint), sent(endpoint)
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
def test_database_refuses_a_delivery_that_makes_no_sense(
    endpoint: Endpoint, constraint: str, fields: dict[str, Any]
) -> None:
    delivery = sent(endpoint, times=0)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Delivery.objects.filter(id=delivery.id).update(**fields)


def test_event_goes_to_an_endpoint_once(endpoint: Endpoint) -> None:
    delivery = sent(endpoint, times=0)
    with pytest.raises(IntegrityError, match="webhooks_one_delivery"), transaction.atomic():
        Delivery.objects.create(
            workspace_id=endpoint.workspace_id, event_id=delivery.event_id, endpoint=endpoint
        )
