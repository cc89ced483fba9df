"""What becomes of the API keys of a workspace that is deleted."""

from __future__ import annotations

from django.utils import timezone

from apps.api_keys.models import ApiKey, IdempotentAnswer


def revoke_all(workspace_id: str) -> None:
    """End every key of the workspace now."""
    live = ApiKey.objects.filter(workspace_id=workspace_id, revoked_at=None)
    live.update(revoked_at=timezone.now())


def erase_workspace(workspace_id: str) -> None:
    """Forget what people called their keys. The rows stay: turns name them."""
    IdempotentAnswer.objects.filter(workspace_id=workspace_id).delete()
    ApiKey.objects.filter(workspace_id=workspace_id).update(name="Deleted key")
