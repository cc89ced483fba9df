"""Emit events to webhooks; send a test event or resend a delivery."""

from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from apps.core.ids import new_id
from apps.webhooks.endpoint_health import end_pause
from apps.webhooks.errors import DeliveryNotFound, EndpointDisabled
from apps.webhooks.models import Delivery, DeliveryStatus, Endpoint, Event, EventType
from apps.webhooks.outbox import EMIT_EVENTS
from apps.webhooks.services.endpoints import lock_endpoint
from apps.webhooks.services.task_triggers import enqueue_deliveries

_EMIT = f"""
WITH emitted AS MATERIALIZED (
  SELECT %(id)s::text AS event_id, %(workspace)s::text AS workspace_id,
    %(type)s::text AS event_type, %(data)s::jsonb AS event_data
), {EMIT_EVENTS}
SELECT FROM delivery
"""  # noqa: S608 - a constant of ours


def emit(*, workspace_id: str, event: EventType, data: Mapping[str, Any]) -> None:
    """Emit an event to the workspace's webhooks. Call it in the transaction of what happened.

    `data` is the event's JSON as receivers get it, with camelCase names. Costs one statement,
    which writes nothing unless an enabled endpoint subscribes to this type. Sending begins when
    the transaction commits.
    """
    values: dict[str, Any] = {
        "id": new_id(),
        "workspace": workspace_id,
        "type": event.value,
        "data": Jsonb(dict(data), dumps=DjangoJSONEncoder().encode),
    }
    with connection.cursor() as cursor:
        cursor.execute(_EMIT, values)
        if cursor.rowcount:
            transaction.on_commit(enqueue_deliveries)


@transaction.atomic
def send_test(*, endpoint: Endpoint) -> Delivery:
    """Send the endpoint an event of type `webhook.test`.

    Raises EndpointDisabled, or EndpointNotFound if it was deleted meanwhile.
    """
    if not lock_endpoint(endpoint).is_enabled:
        raise EndpointDisabled
    event = Event.objects.create(
        workspace_id=endpoint.workspace_id,
        type=EventType.WEBHOOK_TEST,
        data={"endpointId": endpoint.id},
    )
    delivery = Delivery.objects.create(
        workspace_id=endpoint.workspace_id, event=event, endpoint=endpoint
    )
    delivery.refresh_from_db()
    end_pause(workspace_id=delivery.workspace_id, endpoint_id=delivery.endpoint_id)
    transaction.on_commit(enqueue_deliveries)
    return delivery


@transaction.atomic
def resend(*, delivery: Delivery) -> Delivery:
    """Send a delivery again now, with all the attempts of a new one.

    Raises EndpointDisabled; EndpointNotFound or DeliveryNotFound if it was deleted meanwhile.
    """
    if not lock_endpoint(delivery.endpoint).is_enabled:
        raise EndpointDisabled
    row = Delivery.objects.filter(workspace_id=delivery.workspace_id, id=delivery.id)
    if not row.update(
        status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=Now(), claimed_until=None
    ):
        raise DeliveryNotFound
    delivery.refresh_from_db()
    end_pause(workspace_id=delivery.workspace_id, endpoint_id=delivery.endpoint_id)
    transaction.on_commit(enqueue_deliveries)
    return delivery
