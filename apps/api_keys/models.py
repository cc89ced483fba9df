from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from apps.api_kit.callers import Scope
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

DEFAULT_REQUESTS_PER_HOUR = 1_000
"""The rate limit of a new key."""

MAX_REQUESTS_PER_HOUR = 10_000
"""The highest rate limit that a key can have."""


class ApiKey(models.Model):
    """An API key of a workspace. The secret is shown once and stored only as a SHA-256 digest."""

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    name = NameField(max_length=120)
    scopes = ArrayField(models.CharField(max_length=6, choices=Scope))
    digest = models.CharField(max_length=64, unique=True, editable=False, db_collation="C")
    shown_prefix = models.CharField(max_length=20, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    rate_limit_per_hour = models.PositiveIntegerField(
        default=DEFAULT_REQUESTS_PER_HOUR,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_REQUESTS_PER_HOUR)],
        help_text="API requests per hour. Chat requests have their own limit on each chatbot.",
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "API key"
        indexes = [models.Index(fields=["workspace", "-created_at", "-id"], name="api_keys_newest")]
        permissions = [("revoke_apikey", "Can revoke an API key")]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="api_keys_key_in_workspace"),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=Scope.values, scopes__len__gt=0),
                name="api_keys_scopes_known",
            ),
            models.CheckConstraint(
                condition=models.Q(rate_limit_per_hour__range=(1, MAX_REQUESTS_PER_HOUR)),
                name="api_keys_rate_limit_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown})"

    @property
    def shown(self) -> str:
        """The beginning and the last four characters of the secret, to recognise the key by."""
        return f"{self.shown_prefix}…{self.last4}"

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, str(self)

    def is_live(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class IdempotentAnswer(models.Model):
    """The response to a POST with an Idempotency-Key, to be sent again to a retry.

    `status` and `sealed_body` are empty only while the request runs, in its own transaction. The
    body may hold a secret, so it is encrypted under a key derived from the caller's API key,
    which is not in the database.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, db_constraint=False)
    idempotency_key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64, editable=False)
    status = models.PositiveSmallIntegerField(null=True, editable=False)
    sealed_body = models.TextField(editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="api_keys_oldest_answer")]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "idempotency_key"], name="api_keys_one_answer_a_key"
            ),
            models.CheckConstraint(
                condition=models.Q(status=None, sealed_body="")
                | models.Q(status__range=(200, 299)),
                name="api_keys_answer_of_a_success",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.created_at:%Y-%m-%d %H:%M}"
