"""Read API keys, and find the caller of a request by the key that it sent."""

import hashlib
from collections.abc import Collection
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from apps.api_keys.errors import ApiKeyNotFound, InvalidApiKey, MissingAuthHeader
from apps.api_keys.models import ApiKey
from apps.api_kit.callers import Caller
from apps.infrastructure.postgres.rows import first_or_raise


def hash_secret(secret: str) -> str:
    """The stored digest of a key. A key is 51 random characters, so one fast hash is safe."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def parse_bearer_token(authorization: str | None) -> str:
    """The key in an Authorization header. Raises MissingAuthHeader or InvalidApiKey."""
    if not authorization:
        raise MissingAuthHeader
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidApiKey
    return secret.strip()


def authenticate_key(secret: str) -> Caller:
    """The caller of this key. Raises InvalidApiKey.

    A malformed, unknown, revoked or expired key costs the same single lookup by digest, so that
    response times reveal nothing.
    """
    return _caller(ApiKey.objects.filter(digest=hash_secret(secret)))


def caller_for_key(api_key_id: str) -> Caller:
    """The current caller of a key that was verified before. Raises InvalidApiKey."""
    return _caller(ApiKey.objects.filter(id=api_key_id))


def api_keys_for(workspace_id: str) -> QuerySet[ApiKey]:
    """The workspace's keys: first those that are not revoked, then the newest."""
    keys = ApiKey.objects.filter(workspace_id=workspace_id)
    return keys.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-id")


def get_api_key(workspace_id: str, api_key_id: str) -> ApiKey:
    """A key of the workspace, in any state. Raises ApiKeyNotFound."""
    return first_or_raise(api_keys_for(workspace_id).filter(id=api_key_id), ApiKeyNotFound)


def find_inactive_keys(api_key_ids: Collection[str]) -> set[str]:
    """The ids of those keys that are revoked, expired or deleted."""
    live = ApiKey.objects.filter(id__in=api_key_ids, revoked_at=None).exclude(expires_at__lte=Now())
    return set(api_key_ids) - set(live.values_list("id", flat=True))


def _caller(keys: QuerySet[ApiKey]) -> Caller:
    key: Any = first_or_raise(keys.annotate(database_now=Now()), InvalidApiKey)
    if not key.is_live(key.database_now):
        ended = InvalidApiKey()
        ended.caller = (key.workspace_id, key.id)
        raise ended
    return Caller(
        workspace_id=key.workspace_id,
        api_key_id=key.id,
        scopes=frozenset(key.scopes),
        last_used_at=key.last_used_at,
        label=str(key),
        rate_limit_per_hour=key.rate_limit_per_hour,
    )
