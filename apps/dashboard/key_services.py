"""Keys as their owners make and end them: written down with who did it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key, revoke_key
from apps.audit.services import Actor, record
from apps.workspaces.models import Workspace


@transaction.atomic
def create_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: Actor,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which nothing can show again. Raises ValidationError."""
    key, secret = issue_key(workspace=workspace, name=name, scopes=scopes, expires_at=expires_at)
    _record(key, actor, "api_key.created", scopes=key.scopes)
    return key, secret


@transaction.atomic
def end_key(*, key: ApiKey, actor: Actor) -> None:
    """Revoke a key. Revoking it again changes nothing."""
    if key.revoked_at is None:
        revoke_key(key=key)
        _record(key, actor, "api_key.revoked")


def _record(key: ApiKey, actor: Actor, action: str, **details: object) -> None:
    record(
        workspace_id=key.workspace_id,
        actor=actor,
        action=action,
        target_id=key.id,
        target_label=f"{key.name} ({key.shown})",
        details=details,
    )
