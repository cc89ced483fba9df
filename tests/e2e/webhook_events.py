"""Events that happen, and whether they arrived."""

from __future__ import annotations

from standardwebhooks import Webhook

from apps.webhooks.models import Delivery, Event, EventType
from apps.webhooks.services import emit
from apps.workspaces.models import Workspace
from tests.webhook_receiver import Receiver


def emit_events(workspace: Workspace, times: int) -> None:
    """So many events of one type, one after the other."""
    for number in range(times):
        emit(workspace_id=workspace.id, event=EventType.LEAD_CREATED, data={"number": number})


def delivery_attempts(workspace: Workspace) -> list[int]:
    """How often each delivery was tried, the most patient last."""
    found = Delivery.objects.filter(workspace=workspace).order_by("attempts")
    return list(found.values_list("attempts", flat=True))


def all_delivered(workspace: Workspace) -> bool:
    """Whether nothing is on its way any more."""
    return not Delivery.objects.filter(workspace=workspace).exclude(status="delivered").exists()


def assert_all_received(workspace: Workspace, receiver: Receiver, secret: str) -> None:
    """At least once, none invented, each whole and signed, in an order that timestamps tell."""
    happened = Event.objects.filter(workspace=workspace).order_by("created_at")
    assert set(receiver.event_ids) == {event.id for event in happened}
    told = {}
    for received in receiver.received:
        Webhook(secret).verify(received.body, dict(received.headers))
        told[received.event_id] = received.payload
    in_order = sorted(told.values(), key=lambda each: str(each["timestamp"]))
    assert [each["data"] for each in in_order] == [event.data for event in happened]
