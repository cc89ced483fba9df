"""Sending what is due: what each answer leads to, who may send, and what is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connections, transaction
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from apps.audit.queries import entries_of
from apps.audit.services import SYSTEM
from apps.webhooks.delivering import MOST_AT_ONCE, deliver_due, prune
from apps.webhooks.models import Delivery, Endpoint, Event, EventType
from apps.webhooks.notices import tell_owners
from apps.webhooks.services import (
    Changes,
    emit,
    resend,
    rotate_secret,
    send_test,
    update_endpoint,
)
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.factories import NOBODY, Team, make_endpoint, make_user
from tests.receiver import Received, Receiver, Reply


@pytest.fixture(autouse=True)
def nothing_else_is_due(request: pytest.FixtureRequest) -> None:
    """Senders look at all workspaces: what tests that committed have left would be sent too."""
    request.getfixturevalue("committed" if "live_team" in request.fixturenames else "db")
    Delivery.objects.all().delete()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def endpoint(team: Team, receiver: Receiver) -> Endpoint:
    return make_endpoint(team.workspace, url=receiver.url)[0]


def sent(endpoint: Endpoint, times: int = 1, **data: Any) -> Delivery:
    """The delivery of a new event to this endpoint, after some attempts."""
    event = EventType.LEAD_CREATED
    emit(workspace_id=endpoint.workspace_id, event=event, data=data or {"leadId": "c1"})
    delivery = Delivery.objects.filter(endpoint=endpoint).latest("created_at")
    for _ in range(times):
        hurry(delivery)
        assert deliver_due(seconds=0) == 1
    delivery.refresh_from_db()
    return delivery


def hurry(delivery: Delivery) -> None:
    """As if the wait were over."""
    due = Delivery.objects.filter(id=delivery.id, next_attempt_at__isnull=False)
    due.update(next_attempt_at=timezone.now() - timedelta(seconds=1), claimed_until=None)


def wait(delivery: Delivery) -> float:
    """Seconds from the attempt until the next one."""
    assert delivery.next_attempt_at is not None
    assert delivery.last_attempt_at is not None
    return (delivery.next_attempt_at - delivery.last_attempt_at).total_seconds()


def test_event_is_delivered_signed_and_written_down(team: Team, receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(200, b"thanks")
    endpoint, secret = make_endpoint(team.workspace, url=receiver.url)
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
    delivery = sent(make_endpoint(team.workspace, url=NOBODY)[0])
    assert (delivery.status, delivery.error) == ("pending", "No connection could be made.")
    assert (delivery.response_status, delivery.response_body) == (None, "")


def test_retry_has_the_same_id_and_body_and_a_signature_of_its_own(
    team: Team, receiver: Receiver
) -> None:
    replies = iter([Reply(500, b"oh"), Reply(204)])
    receiver.answering = lambda _: next(replies)
    endpoint, secret = make_endpoint(team.workspace, url=receiver.url)
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


def test_gone_switches_the_endpoint_off(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(410)
    delivery = sent(endpoint)
    endpoint.refresh_from_db()
    assert (delivery.status, endpoint.disabled_reason) == ("failed", "gone")
    entry = entries_of(endpoint.workspace_id)[0]
    assert (entry.action, entry.actor_kind, entry.details) == (
        "webhook_endpoint.disabled",
        "system",
        {"reason": "gone"},
    )


@pytest.mark.parametrize(("hours", "reason"), [(71, ""), (73, "failing")])
def test_endpoint_that_fails_for_days_is_switched_off(
    endpoint: Endpoint, receiver: Receiver, hours: int, reason: str
) -> None:
    receiver.answering = lambda _: Reply(500)
    sent(endpoint)
    failing = Endpoint.objects.filter(id=endpoint.id)
    failing.update(failing_since=F("failing_since") - timedelta(hours=hours))
    delivery = sent(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_reason, delivery.status) == (reason, "pending")


def test_success_ends_the_failing(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(500)
    delivery = sent(endpoint)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
    receiver.answering = lambda _: Reply()
    hurry(delivery)
    deliver_due(seconds=1)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


def test_owners_are_told_once_that_their_endpoint_is_off(team: Team, receiver: Receiver) -> None:
    second = make_user("second-owner")
    add_member(workspace=team.workspace, user=second, role=Role.OWNER)
    add_member(workspace=team.workspace, user=make_user("gone", is_active=False), role=Role.OWNER)
    receiver.answering = lambda _: Reply(410)
    endpoint, secret = make_endpoint(team.workspace, url=f"{receiver.url}?token=hush")
    sent(endpoint)
    assert [tell_owners(), tell_owners()] == [1, 0]
    assert sorted(message.to for message in mail.outbox) == sorted(
        [[team.alice.email], [second.email]]
    )
    text = str(mail.outbox[0].body)
    assert "it answered 410 Gone" in text
    assert [hidden for hidden in ("hush", secret, "{{", "{%") if hidden in text] == []


def test_owner_who_switched_it_off_is_not_told(team: Team, endpoint: Endpoint) -> None:
    update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=Changes(enabled=False))
    assert (tell_owners(), mail.outbox) == (0, [])


def test_nothing_is_sent_while_the_endpoint_is_off(endpoint: Endpoint, receiver: Receiver) -> None:
    sent(endpoint, times=0)
    update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=Changes(enabled=False))
    assert (deliver_due(seconds=1), receiver.connections) == (0, 0)
    update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=Changes(enabled=True))
    assert (deliver_due(seconds=1), len(receiver.received)) == (1, 1)


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


def test_delivery_of_a_dead_worker_is_due_again_when_its_claim_ends(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    delivery = sent(endpoint, times=0)
    claimed = timezone.now() + timedelta(seconds=1)
    Delivery.objects.filter(id=delivery.id).update(
        attempts=1, claimed_until=claimed, next_attempt_at=claimed
    )
    assert deliver_due(seconds=1) == 0
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(id=delivery.id).update(claimed_until=past, next_attempt_at=past)
    assert deliver_due(seconds=1) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)


def test_attempt_that_is_no_longer_the_last_writes_nothing(
    live_team: Team, receiver: Receiver
) -> None:
    """It was resent while its answer was on the way, and that answer would have ended it."""
    endpoint, _ = make_endpoint(live_team.workspace, url=receiver.url)
    delivery = sent(endpoint, times=0)

    def resent(_: Received) -> Reply:
        if len(receiver.received) > 0:
            return Reply(204)
        resend(delivery=Delivery.objects.select_related("endpoint").get(id=delivery.id))
        connections.close_all()
        return Reply(410)

    receiver.answering = resent
    assert deliver_due(seconds=5) == 2
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 204)
    assert endpoint.is_enabled


def test_busy_endpoint_leaves_room_for_the_others(team: Team, receiver: Receiver) -> None:
    slow, _ = make_endpoint(team.workspace, url=NOBODY)
    for _ in range(MOST_AT_ONCE + 1):
        sent(slow, times=0)
    soon = timezone.now() + timedelta(seconds=60)
    taken = Delivery.objects.filter(endpoint=slow).order_by("id")[:MOST_AT_ONCE]
    Delivery.objects.filter(id__in=list(taken.values_list("id", flat=True))).update(
        claimed_until=soon, next_attempt_at=soon
    )
    quick, _ = make_endpoint(team.workspace, url=receiver.url)
    delivery = sent(quick, times=0)
    assert (deliver_due(seconds=5), receiver.ids) == (1, [delivery.event_id])


def test_rotated_secret_signs_beside_the_old_one_until_that_ends(
    team: Team, receiver: Receiver
) -> None:
    endpoint, old = make_endpoint(team.workspace, url=receiver.url)
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
    endpoint, _ = make_endpoint(team.workspace, url=url)
    delivery = sent(endpoint, times=0)
    assert deliver_due(seconds=1, resolve=lambda _: ["127.0.0.1"]) == 1
    delivery.refresh_from_db()
    assert delivery.error == "The name leads to an address that is not on the public internet."
    assert (delivery.status, receiver.connections) == ("pending", 0)


def test_senders_at_once_send_each_event_once(live_team: Team) -> None:
    with Receiver() as receiver:
        for _ in range(3):
            make_endpoint(live_team.workspace, url=receiver.url)
        for number in range(10):
            event = EventType.LEAD_CREATED
            emit(workspace_id=live_team.workspace.id, event=event, data={"n": number})

        def send() -> None:
            deliver_due(seconds=20)
            connections.close_all()

        threads = [Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deliveries = Delivery.objects.filter(workspace=live_team.workspace)
        assert {(d.status, d.attempts) for d in deliveries} == {("delivered", 1)}
        assert sorted(receiver.ids) == sorted(deliveries.values_list("event_id", flat=True))
        assert len(receiver.received) == 30


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
