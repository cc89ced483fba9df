"""Create deliveries and attempts, for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint, EventType
from apps.webhooks.services import emit


def send_event(endpoint: Endpoint, times: int = 1, **data: Any) -> Delivery:
    """Emit an event to the endpoint and attempt its delivery `times` times."""
    event = EventType.LEAD_CREATED
    emit(workspace_id=endpoint.workspace_id, event=event, data=data or {"leadId": "c1"})
    delivery = Delivery.objects.filter(endpoint=endpoint).latest("created_at")
    for _ in range(times):
        make_due(delivery)
        assert deliver_due(seconds=0) == 1
    delivery.refresh_from_db()
    return delivery


def make_due(delivery: Delivery) -> None:
    """Make a delivery that waits for its next attempt due now."""
    due = Delivery.objects.filter(id=delivery.id, next_attempt_at__isnull=False)
    due.update(next_attempt_at=timezone.now() - timedelta(seconds=1), claimed_until=None)


def seconds_until_retry(delivery: Delivery) -> float:
    """Seconds from the attempt until the next one."""
    assert delivery.next_attempt_at is not None
    assert delivery.last_attempt_at is not None
    return (delivery.next_attempt_at - delivery.last_attempt_at).total_seconds()
