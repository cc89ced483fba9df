"""Emit webhook events and check their deliveries."""

from __future__ import annotations

from standardwebhooks import Webhook

from apps.webhooks.models import Delivery, Event, EventType
from apps.webhooks.services import emit
from apps.workspaces.models import Workspace
from tests.webhook_receiver import Receiver


def emit_events(workspace: Workspace, count: int) -> None:
    """Emit this many events of one type, one after the other."""
    for number in range(count):
        emit(workspace_id=workspace.id, event=EventType.LEAD_CREATED, data={"number": number})


def delivery_attempts(workspace: Workspace) -> list[int]:
    """The number of attempts of each delivery, in ascending order."""
    found = Delivery.objects.filter(workspace=workspace).order_by("attempts")
    return list(found.values_list("attempts", flat=True))


def all_delivered(workspace: Workspace) -> bool:
    """Whether every delivery of the workspace has succeeded."""
    return not Delivery.objects.filter(workspace=workspace).exclude(status="delivered").exists()


def assert_all_received(workspace: Workspace, receiver: Receiver, secret: str) -> None:
    """Each event was received at least once, signed, and in the order of its timestamps."""
    events = Event.objects.filter(workspace=workspace).order_by("created_at")
    assert set(receiver.event_ids) == {event.id for event in events}
    payloads = {}
    for received in receiver.received:
        Webhook(secret).verify(received.body, dict(received.headers))
        payloads[received.event_id] = received.payload
    in_order = sorted(payloads.values(), key=lambda each: str(each["timestamp"]))
    assert [each["data"] for each in in_order] == [event.data for event in events]
