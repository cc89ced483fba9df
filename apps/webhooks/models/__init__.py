"""Webhook endpoints, events and deliveries.

A row of a workspace may only refer to rows of the same workspace. The foreign keys marked
db_constraint=False are real ones, created in a migration over (workspace, id). They have no index
of their own where another index begins with the column.
"""

from apps.webhooks.models.deliveries import Delivery, DeliveryStatus
from apps.webhooks.models.endpoints import DisabledReason, Endpoint
from apps.webhooks.models.events import SUBSCRIBABLE_EVENT_TYPES, Event, EventType

__all__ = [
    "SUBSCRIBABLE_EVENT_TYPES",
    "Delivery",
    "DeliveryStatus",
    "DisabledReason",
    "Endpoint",
    "Event",
    "EventType",
]
