from __future__ import annotations

from celery import shared_task

from apps.leads import capture


@shared_task(name="apps.leads.tasks.read_turns")  # type: ignore[untyped-decorator]
def read_turns() -> int:
    """Read new messages for contact details. Nothing is lost if a run is missed or doubled."""
    return capture.scan_new_turns()
