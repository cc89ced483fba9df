"""Create, rotate and revoke API keys."""

import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.api_keys.errors import ApiKeyEnded
from apps.api_keys.models import DEFAULT_REQUESTS_PER_HOUR, ApiKey
from apps.api_keys.queries import hash_secret
from apps.api_kit.callers import LAST_USED_INTERVAL, Scope
from apps.audit.services import SYSTEM, Actor, record_change
from apps.infrastructure.postgres.clock import database_now
from apps.infrastructure.redis.cache_invalidation import invalidate_on_commit
from apps.webhooks.models import EventType
from apps.webhooks.services import emit
from apps.workspaces.models import Workspace
from apps.workspaces.services import lock_workspace, require_fewer

PREFIX = "sk-workspace_"
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 51


@transaction.atomic
def issue_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: Sequence[str] = (Scope.CHAT,),
    expires_at: datetime | None = None,
    rate_limit_per_hour: int = DEFAULT_REQUESTS_PER_HOUR,
    actor: Actor = SYSTEM,
) -> tuple[ApiKey, str]:
    """Create a key. Returns it with its secret, which is not stored.

    Raises ValidationError; LimitReached if the workspace has MAX_API_KEYS that are live; NotFound
    if it is closed.
    """
    lock_workspace(workspace_id=workspace.id)
    _require_fewer_keys(_live_keys(workspace.id))
    key, secret = _add_key(
        ApiKey(
            workspace=workspace,
            name=name,
            scopes=list(dict.fromkeys(scopes)),
            expires_at=expires_at,
            rate_limit_per_hour=rate_limit_per_hour,
        )
    )
    record_change(key, actor=actor, action="api_key.created", scopes=key.scopes)
    return key, secret


@transaction.atomic
def rotate_key(*, key: ApiKey, grace: timedelta, actor: Actor) -> tuple[ApiKey, str]:
    """Replace a key, which expires after `grace`. Returns the new key and its secret.

    The new key has the same name, scopes, rate limit and time of expiry. Raises ApiKeyEnded if
    the key is revoked or expired; LimitReached if others of MAX_API_KEYS are live.
    """
    lock_workspace(workspace_id=key.workspace_id)
    _require_fewer_keys(_live_keys(key.workspace_id).exclude(pk=key.pk))
    locked = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    now = database_now()
    if not locked.is_live(now):
        raise ApiKeyEnded
    new, secret = _add_key(
        ApiKey(
            workspace_id=locked.workspace_id,
            name=locked.name,
            scopes=locked.scopes,
            expires_at=locked.expires_at,
            rate_limit_per_hour=locked.rate_limit_per_hour,
        )
    )
    ends = now + grace
    locked.expires_at = min(ends, locked.expires_at or ends)
    locked.save(update_fields=["expires_at"])
    details = {"replacedBy": new.id, "endsAt": locked.expires_at.isoformat()}
    record_change(locked, actor=actor, action="api_key.rotated", **details)
    return new, secret


def _live_keys(workspace_id: str) -> QuerySet[ApiKey]:
    unrevoked = ApiKey.objects.filter(workspace_id=workspace_id, revoked_at=None)
    return unrevoked.filter(Q(expires_at=None) | Q(expires_at__gt=Now()))


def _require_fewer_keys(keys: QuerySet[ApiKey]) -> None:
    text = "A workspace has at most {limit} API keys that work. Revoke one first."
    require_fewer(keys, settings.MAX_API_KEYS, limit_text=text)


def _add_key(key: ApiKey) -> tuple[ApiKey, str]:
    expires_at = key.expires_at
    if expires_at is not None and expires_at <= database_now():
        raise ValidationError({"expires_at": "The time of expiry has passed already."})
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    key.digest = hash_secret(secret)
    key.shown_prefix = secret[: len(PREFIX) + 4]
    key.last4 = secret[-4:]
    key.full_clean()
    key.save()
    emit(
        workspace_id=key.workspace_id,
        event=EventType.API_KEY_CREATED,
        data=_event_data(key) | {"scopes": key.scopes, "expiresAt": expires_at},
    )
    return key, secret


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: Actor = SYSTEM) -> ApiKey:
    """Revoke a key now. Revoking it again changes nothing."""
    live = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
    ended = live.update(revoked_at=Now())
    invalidate_on_commit()
    key.refresh_from_db()
    if ended:
        record_change(key, actor=actor, action="api_key.revoked")
        emit(
            workspace_id=key.workspace_id,
            event=EventType.API_KEY_REVOKED,
            data=_event_data(key) | {"revokedAt": key.revoked_at},
        )
    return key


def _event_data(key: ApiKey) -> dict[str, Any]:
    return {"apiKeyId": key.id, "name": key.name, "shown": key.shown}


def update_last_used(*, api_key_id: str) -> None:
    """Set “last used” to now, at most once a minute over all processes."""
    used = ApiKey.objects.filter(pk=api_key_id)
    outdated = used.filter(last_used_at__lt=Now() - LAST_USED_INTERVAL)
    (used.filter(last_used_at=None) | outdated).update(last_used_at=Now())
