from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.credits import plans


@shared_task(name="apps.credits.tasks.renew")  # type: ignore[untyped-decorator]
def renew() -> int:
    """Expire what is over and grant what is due. Nothing is lost if a run is missed or doubled."""
    return plans.renew_due(now=timezone.now())
