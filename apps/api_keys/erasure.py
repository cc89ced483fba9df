"""Revoke and anonymise the API keys of a deleted workspace."""

from django.db.models.functions import Now

from apps.api_keys.models import ApiKey, IdempotentAnswer


def revoke_all(workspace_id: str) -> None:
    """Revoke every key of the workspace."""
    live = ApiKey.objects.filter(workspace_id=workspace_id, revoked_at=None)
    live.update(revoked_at=Now())


def erase_workspace(workspace_id: str) -> None:
    """Delete stored responses and the keys' names. The rows stay, because turns refer to them."""
    IdempotentAnswer.objects.filter(workspace_id=workspace_id).delete()
    ApiKey.objects.filter(workspace_id=workspace_id).update(name="Deleted key")
