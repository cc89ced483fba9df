from __future__ import annotations

from celery import shared_task

from apps.adjustments import services


@shared_task(name="apps.adjustments.tasks.expire_requests")  # type: ignore[untyped-decorator]
def expire_requests() -> int:
    """End the requests that nobody decided in time. Nothing is lost if a run is missed."""
    return services.expire_requests()
