"""Telling of what happens, and the endpoints that are told. `delivering` does the sending.

telling     emit an event, send a test, send a delivery once more
endpoints   create, change, switch off and on, rotate the secret, delete
workers     ask them to look, without waiting for them
"""

from apps.webhooks.services.emitting import emit, erase_responses, resend, send_test
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
    "erase_responses",
    "resend",
    "rotate_secret",
    "send_test",
    "update_endpoint",
]
