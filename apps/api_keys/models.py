from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.core.ids import IdField
from apps.workspaces.models import Workspace


class Scope(models.TextChoices):
    """What a key may do."""

    CHAT = "chat", "chat: send messages to chatbots"
    READ = "read", "read: list and get everything of the workspace"
    MANAGE = "manage", "manage: create, change and delete"


class ApiKey(models.Model):
    """A key of a workspace. The key itself is shown once and kept only as its SHA-256 digest."""

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    scopes = ArrayField(models.CharField(max_length=6, choices=Scope))
    digest = models.CharField(max_length=64, unique=True, editable=False, db_collation="C")
    shown_prefix = models.CharField(max_length=20, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "API key"
        permissions = [("revoke_apikey", "Can revoke an API key")]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="api_keys_key_in_workspace"),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=Scope.values, scopes__len__gt=0),
                name="api_keys_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown})"

    @property
    def shown(self) -> str:
        """The key as people may see it: its beginning and its last four characters."""
        return f"{self.shown_prefix}…{self.last4}"

    def is_live(self, now: datetime) -> bool:
        """Whether the key opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
