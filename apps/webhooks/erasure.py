"""What becomes of the events of a workspace that is deleted."""

from __future__ import annotations

from apps.webhooks.models import Event


def erase(workspace_id: str) -> None:
    """Remove what was told, which holds what people wrote."""
    Event.objects.filter(workspace_id=workspace_id).delete()
