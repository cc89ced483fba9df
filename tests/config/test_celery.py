from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from config import celery_app
from local.servers.web import ALL_QUEUES, CRITICAL_QUEUE, OTHER_QUEUES

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
        "apps.knowledge.tasks.change_embedding_models",
        "apps.knowledge.tasks.create_vector_indexes",
        "apps.knowledge.tasks.erase_discarded",
        "apps.knowledge.tasks.index_sources",
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


def test_every_task_has_a_queue() -> None:
    celery_app.loader.import_default_modules()
    ours = {name for name in celery_app.tasks if name.startswith("apps.")}
    named = [name for names in settings.TASK_QUEUES.values() for name in names]
    assert (set(named), len(named)) == (ours, len(ours))
    for queue, names in settings.TASK_QUEUES.items():
        assert {celery_app.amqp.router.route({}, name)["queue"].name for name in names} == {queue}


def test_every_queue_has_a_process_of_its_own() -> None:
    queues = re.findall(r"^(\w+): celery .* worker .*--queues (\S+)", PROCFILE, re.MULTILINE)
    assert sorted(queue for _, queue in queues) == sorted(settings.TASK_QUEUES)
    assert set(ALL_QUEUES.split(",")) == set(settings.TASK_QUEUES)
    assert {CRITICAL_QUEUE} == set(settings.TASK_QUEUES) - set(OTHER_QUEUES.split(","))


def test_critical_queue_has_no_work_that_grows_with_a_customer() -> None:
    assert settings.TASK_QUEUES["critical"] == (
        "apps.adjustments.tasks.expire_requests",
        "apps.credits.tasks.renew_accounts",
        "apps.credits.tasks.send_balance_alerts",
        "apps.turns.tasks.sweep_turns",
        "apps.webhooks.tasks.email_owners",
    )


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
