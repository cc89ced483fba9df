"""Deliveries with workers that die, are late or work concurrently."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connections
from django.utils import timezone

from apps.webhooks.claiming import MAX_CONCURRENT_PER_ENDPOINT
from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint, EventType
from apps.webhooks.services import emit, resend
from tests.factories import UNREACHABLE_URL, Team, make_webhook_endpoint
from tests.webhook_receiver import Received, Receiver, Reply
from tests.webhooks.delivery_helpers import send_event

pytestmark = pytest.mark.usefixtures("no_other_deliveries")


def test_delivery_is_due_again_when_its_claim_ends(endpoint: Endpoint, receiver: Receiver) -> None:
    delivery = send_event(endpoint, times=0)
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


def test_outdated_attempt_writes_nothing(live_team: Team, receiver: Receiver) -> None:
    """The delivery is resent before the response arrives, which would have finished it."""
    endpoint, _ = make_webhook_endpoint(live_team.workspace, url=receiver.url)
    delivery = send_event(endpoint, times=0)

    def resend_meanwhile(_: Received) -> Reply:
        if len(receiver.received) > 0:
            return Reply(204)
        resend(delivery=Delivery.objects.select_related("endpoint").get(id=delivery.id))
        connections.close_all()
        return Reply(410)

    receiver.reply_to = resend_meanwhile
    assert deliver_due(seconds=5) == 2
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 204)
    assert endpoint.is_enabled


def test_busy_endpoint_does_not_block_others(team: Team, receiver: Receiver) -> None:
    slow, _ = make_webhook_endpoint(team.workspace, url=UNREACHABLE_URL)
    for _ in range(MAX_CONCURRENT_PER_ENDPOINT + 1):
        send_event(slow, times=0)
    soon = timezone.now() + timedelta(seconds=60)
    claimed = Delivery.objects.filter(endpoint=slow).order_by("id")[:MAX_CONCURRENT_PER_ENDPOINT]
    Delivery.objects.filter(id__in=list(claimed.values_list("id", flat=True))).update(
        claimed_until=soon, next_attempt_at=soon
    )
    quick, _ = make_webhook_endpoint(team.workspace, url=receiver.url)
    delivery = send_event(quick, times=0)
    assert (deliver_due(seconds=5), receiver.event_ids) == (1, [delivery.event_id])


def test_concurrent_workers_send_each_event_once(live_team: Team) -> None:
    with Receiver() as receiver:
        for _ in range(3):
            make_webhook_endpoint(live_team.workspace, url=receiver.url)
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
        assert sorted(receiver.event_ids) == sorted(deliveries.values_list("event_id", flat=True))
        assert len(receiver.received) == 30
