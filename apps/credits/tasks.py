from celery import shared_task
from django.utils import timezone

from apps.credits import alerts, plans


@shared_task  # type: ignore[untyped-decorator]
def renew_accounts() -> int:
    """Expire credits and grant monthly ones that are due. Idempotent; a run may be missed."""
    return plans.renew_due_accounts(now=timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def send_balance_alerts() -> int:
    """Create alerts for balances that fell, and letters about them. Idempotent; may be missed."""
    created = alerts.check_balances()
    alerts.send_alert_emails(now=timezone.now())
    return created
