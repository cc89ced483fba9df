"""Celery: how tasks are sent, the queue of each, and the schedule of Celery beat.

Each queue has workers of its own (Procfile), so that what waits in one delays none of the others:

    critical    what every customer depends on: short statements in our own database. Nothing here
                waits for somebody else's server, reads what people wrote or grows with one customer
    webhooks    requests to customers' servers, which can be slow
    emails      conversations with the mail server
    knowledge   sources of knowledge bases: fetched, parsed and embedded, each for up to minutes
    celery      everything else: in turn by workspace, in short runs
"""

from typing import Any

import environ

env = environ.Env()

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # what waits behind a long task is left to other workers
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker never gives up
CELERY_WORKER_CONSUMER = "config.celery:Consumer"
# Sending a task must not wait for an unavailable broker: Celery beat starts every task again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1.0,
    "socket_timeout": 10.0,
    "max_retries": 1,
    "interval_start": 0.0,
    "interval_step": 0.0,
    "interval_max": 0.0,
}
TASK_QUEUES: dict[str, tuple[str, ...]] = {
    "critical": (
        "apps.adjustments.tasks.expire_requests",
        "apps.credits.tasks.renew_accounts",
        "apps.credits.tasks.send_balance_alerts",
        "apps.turns.tasks.sweep_turns",
        "apps.webhooks.tasks.email_owners",
    ),
    "webhooks": ("apps.webhooks.tasks.deliver_due",),
    "emails": (
        "apps.accounts.tasks.send_email",
        "apps.workspaces.tasks.send_letters",
    ),
    "knowledge": (
        "apps.knowledge.tasks.change_embedding_models",
        "apps.knowledge.tasks.create_vector_indexes",
        "apps.knowledge.tasks.index_sources",
    ),
    "celery": (
        "apps.accounts.tasks.clear_sessions",
        "apps.api_keys.tasks.delete_expired_responses",
        "apps.conversations.tasks.delete_expired_exports",
        "apps.conversations.tasks.erase_deleted_conversations",
        "apps.conversations.tasks.index_new_messages",
        "apps.conversations.tasks.write_exports",
        "apps.knowledge.tasks.erase_discarded",
        "apps.leads.tasks.scan_new_turns",
        "apps.privacy.tasks.delete_due_workspaces",
        "apps.privacy.tasks.delete_expired_data",
        "apps.privacy.tasks.erase_end_users",
        "apps.reporting.tasks.check_all_accounts",
        "apps.webhooks.tasks.prune_webhooks",
        "apps.workspaces.tasks.delete_old_letters",
    ),
}
"""The tasks of each queue."""
CELERY_TASK_ROUTES = {
    task: {"queue": queue} for queue, tasks in TASK_QUEUES.items() for task in tasks
}
# Runs that no worker has taken: one run does the work of all. Longer than clocks can differ.
_EXPIRES = {"expires": 300}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-turns": {"task": "apps.turns.tasks.sweep_turns", "schedule": 5.0},
    "index-messages": {
        "task": "apps.conversations.tasks.index_new_messages",
        "schedule": 5.0,
    },
    "erase-deleted-conversations": {
        "task": "apps.conversations.tasks.erase_deleted_conversations",
        "schedule": 60.0,
    },
    "delete-expired-responses": {
        "task": "apps.api_keys.tasks.delete_expired_responses",
        "schedule": 3600.0,
    },
    "renew-credits": {"task": "apps.credits.tasks.renew_accounts", "schedule": 60.0},
    "expire-adjustments": {
        "task": "apps.adjustments.tasks.expire_requests",
        "schedule": 600.0,
    },
    # Done once a day, in as many runs as it takes. Catches up after an outage.
    "reconcile-ledgers": {"task": "apps.reporting.tasks.check_all_accounts", "schedule": 300.0},
    "send-balance-alerts": {"task": "apps.credits.tasks.send_balance_alerts", "schedule": 5.0},
    "delete-workspaces": {"task": "apps.privacy.tasks.delete_due_workspaces", "schedule": 600.0},
    "delete-expired": {"task": "apps.privacy.tasks.delete_expired_data", "schedule": 600.0},
    "erase-end-users": {"task": "apps.privacy.tasks.erase_end_users", "schedule": 60.0},
    "clear-sessions": {"task": "apps.accounts.tasks.clear_sessions", "schedule": 86_400.0},
    "scan-turns-for-leads": {"task": "apps.leads.tasks.scan_new_turns", "schedule": 5.0},
    "deliver-webhooks": {
        "task": "apps.webhooks.tasks.deliver_due",
        "schedule": env.float("WEBHOOK_SWEEP_SECONDS", default=5.0),
    },
    "send-letters": {"task": "apps.workspaces.tasks.send_letters", "schedule": 5.0},
    "prune-letters": {"task": "apps.workspaces.tasks.delete_old_letters", "schedule": 3600.0},
    "email-webhook-owners": {"task": "apps.webhooks.tasks.email_owners", "schedule": 60.0},
    "prune-webhooks": {"task": "apps.webhooks.tasks.prune_webhooks", "schedule": 3600.0},
    "write-exports": {
        "task": "apps.conversations.tasks.write_exports",
        "schedule": 5.0,
    },
    "index-sources": {"task": "apps.knowledge.tasks.index_sources", "schedule": 5.0},
    "change-embedding-models": {
        "task": "apps.knowledge.tasks.change_embedding_models",
        "schedule": 10.0,
    },
    "create-vector-indexes": {
        "task": "apps.knowledge.tasks.create_vector_indexes",
        "schedule": 600.0,
    },
    "erase-discarded-knowledge": {
        "task": "apps.knowledge.tasks.erase_discarded",
        "schedule": 60.0,
    },
    "prune-exports": {
        "task": "apps.conversations.tasks.delete_expired_exports",
        "schedule": 3600.0,
    },
}
for _entry in CELERY_BEAT_SCHEDULE.values():
    _entry["options"] = _EXPIRES
