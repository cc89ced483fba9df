"""Telling of what happens, and the endpoints that are told. `delivering` does the sending.

telling     emit an event, send a test, send a delivery once more
endpoints   create, change, switch off and on, rotate the secret, delete
workers     ask them to look, without waiting for them
"""

from apps.webhooks.services.emitting import emit, forget_answers, resend, send_test
from apps.webhooks.services.endpoints import (
    MOST_ENDPOINTS,
    Changes,
    create_endpoint,
    delete_endpoint,
    disable_endpoint,
    rotate_secret,
    update_endpoint,
)
from apps.webhooks.services.task_triggers import DELIVER_DUE, TELL_OWNERS, wake_senders

__all__ = [
    "DELIVER_DUE",
    "MOST_ENDPOINTS",
    "TELL_OWNERS",
    "Changes",
    "create_endpoint",
    "delete_endpoint",
    "disable_endpoint",
    "emit",
    "forget_answers",
    "resend",
    "rotate_secret",
    "send_test",
    "update_endpoint",
    "wake_senders",
]
