from celery import shared_task

from apps.leads import capture


@shared_task  # type: ignore[untyped-decorator]
def scan_new_turns() -> int:
    """Detect contact details in new messages. A run can be missed or repeated."""
    return capture.scan_new_turns()
