from celery import shared_task

from apps.adjustments import services


@shared_task  # type: ignore[untyped-decorator]
def expire_requests() -> int:
    """Expire pending adjustments after their deadline. A run may be missed or repeated."""
    return services.expire_requests()
