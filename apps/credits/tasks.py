from celery import shared_task
from django.utils import timezone

from apps.credits import alerts, plans
from apps.credits.emails import send_email
from apps.credits.models import DECIDED_STATES, CreditRequest


@shared_task  # type: ignore[untyped-decorator]
def renew_accounts() -> int:
    """Expire credits and grant monthly ones that are due. Idempotent; a run may be missed."""
    return plans.renew_due_accounts(now=timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def send_balance_alerts() -> int:
    """Create alerts for balances that fell, and email them. Idempotent; a run may be missed."""
    created = alerts.check_balances()
    alerts.send_alert_emails(now=timezone.now())
    return created


@shared_task(  # type: ignore[untyped-decorator]
    name="apps.credits.tasks.send_decision",
    autoretry_for=(OSError,),
    retry_backoff=10,
    max_retries=6,
)
def send_decision(request_id: str) -> None:
    """Email the decision about a request to the members who may request credits."""
    requests = CreditRequest.objects.select_related("workspace", "plan")
    request = requests.filter(pk=request_id, state__in=DECIDED_STATES).first()
    if request is not None:
        send_email("decision", workspace=request.workspace, request=request)
