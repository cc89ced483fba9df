from celery import shared_task
from django.utils import timezone

from apps.reporting import reconciliation


@shared_task(time_limit=3600)  # type: ignore[untyped-decorator]
def check_all_accounts() -> bool:
    """Check today's ledgers; False unless this run finished that.

    It has more time than other tasks: one account's ledger may be long.
    """
    return reconciliation.check_all_accounts(now=timezone.now()) is not None
