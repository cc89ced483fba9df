"""The caller of an API request and what its key permits."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

from apps.core.errors import Forbidden

LAST_USED_INTERVAL = timedelta(minutes=1)
"""How often a key's “last used” is written at most."""


class Scope(models.TextChoices):
    """What an API key may do."""

    CHAT = "chat", "Chat: send messages to chatbots"
    READ = "read", "Read: view all data in this workspace"
    MANAGE = "manage", "Manage: create, edit and delete resources"


class ScopeMissing(Forbidden):
    code = "SCOPE_MISSING"
    message = "This API key may not do this: it lacks the scope that it takes."

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key may not do this: it lacks the scope “{scope}”.")


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of an API key: the workspace of the key and its scopes."""

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
        """Raise ScopeMissing unless the key has all of these scopes.

        A key can only be given scopes that its creator has.
        """
        for scope in scopes:
            if scope not in self.scopes:
                raise ScopeMissing(scope)

    def is_last_used_outdated(self, now: datetime) -> bool:
        """Whether “last used” is old enough to be written again."""
        return self.last_used_at is None or now - self.last_used_at > LAST_USED_INTERVAL
