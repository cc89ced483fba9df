"""What becomes of the webhooks of a workspace that is deleted."""

from __future__ import annotations

from apps.webhooks.models import Delivery, Endpoint, Event


def erase(workspace_id: str) -> None:
    """Remove addresses, what was told and what was answered: all hold what people wrote."""
    for model in (Delivery, Endpoint, Event):
        model._default_manager.filter(workspace_id=workspace_id).delete()
