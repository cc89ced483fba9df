from celery import shared_task
from django.utils import timezone

from apps.reporting import reconciliation


@shared_task  # type: ignore[untyped-decorator]
def check_all_accounts() -> bool:
    """Check today's ledgers; False if that is done already or running elsewhere."""
    return reconciliation.check_all_accounts(now=timezone.now()) is not None
