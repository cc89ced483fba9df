"""What becomes of the leads of a workspace that is deleted."""

from __future__ import annotations

from apps.leads.models import CapturedField, Lead, Reading


def erase(workspace_id: str) -> None:
    """Remove all of them: every field is about a person."""
    for model in (CapturedField, Reading, Lead):
        model._default_manager.filter(workspace_id=workspace_id).delete()
