from celery import shared_task
from django.core.mail import send_mail
from django.core.management import call_command


@shared_task(  # type: ignore[untyped-decorator]
    name="apps.accounts.tasks.send_email",
    autoretry_for=(OSError,),
    retry_backoff=10,
    max_retries=6,
)
def send_email(to: str, subject: str, text: str, html: str) -> None:
    """Send an authentication email, rendered by its request, which alone can create the link."""
    send_mail(subject, text, None, [to], html_message=html)


@shared_task  # type: ignore[untyped-decorator]
def clear_sessions() -> None:
    """Delete expired sessions."""
    call_command("clearsessions")
