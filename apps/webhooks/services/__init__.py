"""Changes to webhook endpoints, and what sends events to them.

emitting        emit an event, send a test event, resend a delivery
endpoints       create, update, disable, enable and delete endpoints; rotate secrets
task_triggers   start the workers' tasks without waiting for them
"""

from apps.webhooks.services.emitting import emit, resend, send_test
from apps.webhooks.services.endpoints import (
    MAX_ENDPOINTS,
    EndpointChanges,
    create_endpoint,
    delete_endpoint,
    disable_endpoint,
    rotate_secret,
    update_endpoint,
)
from apps.webhooks.services.task_triggers import (
    DELIVER_DUE_TASK,
    EMAIL_OWNERS_TASK,
    enqueue_deliveries,
)

__all__ = [
    "DELIVER_DUE_TASK",
    "EMAIL_OWNERS_TASK",
    "MAX_ENDPOINTS",
    "EndpointChanges",
    "create_endpoint",
    "delete_endpoint",
    "disable_endpoint",
    "emit",
    "enqueue_deliveries",
    "resend",
    "rotate_secret",
    "send_test",
    "update_endpoint",
]
