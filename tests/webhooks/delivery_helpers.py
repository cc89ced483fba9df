"""Deliveries that were tried, for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint, EventType
from apps.webhooks.services import (
    emit,
)


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
