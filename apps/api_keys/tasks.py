from celery import shared_task

from apps.api_keys import idempotency


@shared_task  # type: ignore[untyped-decorator]
def delete_expired_responses() -> int:
    """Delete stored responses to requests with an idempotency key after a day."""
    return idempotency.delete_expired_responses()
