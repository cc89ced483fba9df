from __future__ import annotations

from django.conf import settings

from config import celery_app


def test_every_scheduled_task_is_registered() -> None:
    celery_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert "apps.conversations.tasks.sweep_turns" in scheduled
    assert scheduled - set(celery_app.tasks) == set()


def test_application_reads_djangos_settings() -> None:
    assert celery_app.conf.broker_url == settings.CELERY_BROKER_URL  # type: ignore[misc]
    assert celery_app.conf.beat_schedule == settings.CELERY_BEAT_SCHEDULE
    assert celery_app.conf.task_acks_late is True
