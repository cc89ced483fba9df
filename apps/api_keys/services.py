"""Changes to API keys."""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.api_keys.models import ApiKey, Scope
from apps.api_keys.queries import TOUCH_EVERY, digest_of
from apps.core.changes import tell_of_change
from apps.workspaces.models import Workspace

PREFIX = "sk-workspace_"
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 51


def issue_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: Sequence[str] = (Scope.CHAT,),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which nothing can show again. Raises ValidationError."""
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "The time of expiry has passed already."})
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    key = ApiKey(
        workspace=workspace,
        name=name,
        scopes=list(dict.fromkeys(scopes)),
        digest=digest_of(secret),
        shown_prefix=secret[: len(PREFIX) + 4],
        last4=secret[-4:],
        expires_at=expires_at,
    )
    key.full_clean()
    key.save()
    return key, secret


def revoke_key(*, key: ApiKey) -> ApiKey:
    """End a key now. Revoking it again changes nothing."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    tell_of_change()
    key.refresh_from_db()
    return key


def touch_key(*, api_key_id: str) -> None:
    """Write down that the key is in use, at most once a minute whoever asks."""
    now = timezone.now()
    used = ApiKey.objects.filter(pk=api_key_id)
    stale = used.filter(last_used_at=None) | used.filter(last_used_at__lt=now - TOUCH_EVERY)
    stale.update(last_used_at=now)
