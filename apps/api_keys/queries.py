"""Reads of API keys: from the text that a caller sent to the caller."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils import timezone

from apps.api_keys.errors import ApiKeyNotFound, InvalidApiKey, MissingAuthHeader, ScopeMissing
from apps.api_keys.models import ApiKey, Scope

LAST_USED_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds the key: the workspace it opens and what it may do there."""

    workspace_id: str
    api_key_id: str
    scopes: frozenset[str]
    last_used_at: datetime | None
    label: str = ""
    rate_limit_per_hour: int = 0

    def require(self, *scopes: Scope) -> None:
        """Raise ScopeMissing unless the key has one of these scopes."""
        if self.scopes.isdisjoint(scopes):
            raise ScopeMissing(scopes[0])

    def require_all(self, scopes: Collection[str]) -> None:
        """Raise ScopeMissing unless the key has every one of these scopes: none can be given
        that the giver lacks."""
        for scope in scopes:
            if scope not in self.scopes:
                raise ScopeMissing(scope)

    def is_last_used_outdated(self, now: datetime) -> bool:
        """Whether “last used” has fallen behind enough to be written again."""
        return self.last_used_at is None or now - self.last_used_at > LAST_USED_INTERVAL


def hash_secret(secret: str) -> str:
    """What is stored of a key. It is 51 random characters, so one quick hash hides it."""
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

    A malformed, unknown, revoked or expired key costs the same one look-up by digest, and the
    digest of a guess says nothing of the digests near it: time tells a stranger nothing.
    """
    return _caller(ApiKey.objects.filter(digest=hash_secret(secret)).first())


def caller_for_key(api_key_id: str) -> Caller:
    """The caller of a key that was verified before, as it is now. Raises InvalidApiKey."""
    return _caller(ApiKey.objects.filter(id=api_key_id).first())


def api_keys_for(workspace_id: str) -> QuerySet[ApiKey]:
    """The workspace's keys: those that may still open something first, then the newest."""
    keys = ApiKey.objects.filter(workspace_id=workspace_id)
    return keys.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-id")


def get_api_key(workspace_id: str, api_key_id: str) -> ApiKey:
    """The workspace's key, ended or not. Raises ApiKeyNotFound."""
    key = api_keys_for(workspace_id).filter(id=api_key_id).first()
    if key is None:
        raise ApiKeyNotFound
    return key


def find_inactive_keys(api_key_ids: Collection[str]) -> set[str]:
    """Those of the keys that open nothing any more: revoked, expired or deleted."""
    live = ApiKey.objects.filter(id__in=api_key_ids, revoked_at=None).exclude(
        expires_at__lte=timezone.now()
    )
    return set(api_key_ids) - set(live.values_list("id", flat=True))


def _caller(key: ApiKey | None) -> Caller:
    if key is None:
        raise InvalidApiKey
    if not key.is_live(timezone.now()):
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
