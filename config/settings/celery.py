"""Celery: how tasks are sent, and the schedule of Celery beat."""

import environ

env = environ.Env()

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Sending a task must not wait for an unavailable broker: Celery beat starts every task again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1.0,
    "socket_timeout": 10.0,
    "max_retries": 1,
    "interval_start": 0.0,
    "interval_step": 0.0,
    "interval_max": 0.0,
}
# Webhook receivers can be slow: their own workers keep them from delaying other tasks.
CELERY_TASK_ROUTES = {"apps.webhooks.tasks.deliver_due": {"queue": "webhooks"}}
CELERY_BEAT_SCHEDULE = {
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
    # Runs once a day, checked twice an hour, so that it catches up after an outage.
    "reconcile-ledgers": {"task": "apps.reporting.tasks.check_all_accounts", "schedule": 1800.0},
    "send-balance-alerts": {"task": "apps.credits.tasks.send_balance_alerts", "schedule": 5.0},
    "delete-workspaces": {"task": "apps.privacy.tasks.delete_due_workspaces", "schedule": 600.0},
    "delete-expired": {"task": "apps.privacy.tasks.delete_expired_data", "schedule": 600.0},
    "erase-end-users": {"task": "apps.privacy.tasks.erase_end_users", "schedule": 60.0},
    "clear-sessions": {"task": "apps.accounts.tasks.clear_sessions", "schedule": 86_400.0},
    "scan-turns-for-leads": {"task": "apps.leads.tasks.scan_new_turns", "schedule": 5.0},
    "deliver-webhooks": {
        "task": "apps.webhooks.tasks.deliver_due",
        "schedule": env.float("WEBHOOK_SWEEP_SECONDS", default=5.0),
        "options": {"expires": 300},
    },
    "email-webhook-owners": {"task": "apps.webhooks.tasks.email_owners", "schedule": 60.0},
    "prune-webhooks": {"task": "apps.webhooks.tasks.prune_webhooks", "schedule": 3600.0},
    "write-exports": {
        "task": "apps.conversations.tasks.write_exports",
        "schedule": 5.0,
        "options": {"expires": 60},
    },
    "prune-exports": {
        "task": "apps.conversations.tasks.delete_expired_exports",
        "schedule": 3600.0,
    },
}
