from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from config import celery_app

PROCFILE = (Path(__file__).resolve().parents[2] / "Procfile").read_text()


def test_every_scheduled_task_is_registered() -> None:
    celery_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled == {
        "apps.adjustments.tasks.expire_requests",
        "apps.api_keys.tasks.delete_expired_responses",
        "apps.accounts.tasks.clear_sessions",
        "apps.conversations.tasks.erase_deleted_conversations",
        "apps.conversations.tasks.delete_expired_exports",
        "apps.conversations.tasks.index_new_messages",
        "apps.turns.tasks.sweep_turns",
        "apps.conversations.tasks.write_exports",
        "apps.credits.tasks.renew_accounts",
        "apps.reporting.tasks.check_all_accounts",
        "apps.credits.tasks.send_balance_alerts",
        "apps.privacy.tasks.delete_due_workspaces",
        "apps.privacy.tasks.erase_end_users",
        "apps.privacy.tasks.delete_expired_data",
        "apps.leads.tasks.scan_new_turns",
        "apps.webhooks.tasks.deliver_due",
        "apps.webhooks.tasks.prune_webhooks",
        "apps.webhooks.tasks.email_owners",
        "apps.workspaces.tasks.delete_old_letters",
        "apps.workspaces.tasks.send_letters",
    }
    assert scheduled - set(celery_app.tasks) == set()


def test_celery_app_reads_settings() -> None:
    assert celery_app.conf.broker_url == settings.CELERY_BROKER_URL  # type: ignore[misc]
    assert celery_app.conf.beat_schedule == settings.CELERY_BEAT_SCHEDULE
    assert celery_app.conf.task_acks_late is True


def test_deliveries_have_their_own_queue() -> None:
    routed = celery_app.amqp.router.route({}, "apps.webhooks.tasks.deliver_due")
    assert routed["queue"].name == "webhooks"
    queues = re.findall(r"^(\w+): celery .* worker .*--queues (\S+)", PROCFILE, re.MULTILINE)
    assert queues == [("webhooks", "webhooks")]


def test_worker_survives_a_broker_lost_with_unacknowledged_tasks() -> None:
    with celery_app.connection_for_write() as connection:
        channel = connection.channel()
        channel.qos._delivered["an unacknowledged task"] = object()
        transport = channel.connection
        transport.client, original = None, transport.client  # as kombu leaves it
        channel._pool = channel._async_pool = None
        channel.qos.restore_unacked_once()
        transport.client = original
        assert channel.qos._delivered.restored
