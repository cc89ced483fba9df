from celery import shared_task
from django.core.management import call_command

from apps.infrastructure import mail
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)


@shared_task(  # type: ignore[untyped-decorator]
    name="apps.accounts.tasks.send_email",
    autoretry_for=(mail.EmailNotSent,),
    retry_backoff=10,
    max_retries=6,
)
def send_email(to: str, subject: str, text: str, html: str) -> None:
    """Send an authentication email, rendered by its request, which alone can create the link.

    Whoever asked for it can ask again, so a refused one is only noted, and not tried again.
    """
    try:
        mail.send_email(to, subject=subject, text=text, html=html)
    except mail.EmailRefused:
        log.warning("authentication_email_refused")


@shared_task  # type: ignore[untyped-decorator]
def clear_sessions() -> None:
    """Delete expired sessions."""
    call_command("clearsessions")
