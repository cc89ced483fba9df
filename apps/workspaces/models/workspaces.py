from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField

validate_slug = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?\Z",
    "A slug has 1 to 48 lowercase letters, digits and inner hyphens.",
)

MAX_RETENTION_DAYS = 3650


def _retention_days_constraint(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__range": (1, MAX_RETENTION_DAYS)}),
        name=f"workspaces_{name}",
    )


class Workspace(models.Model):
    """The tenant: all customer data belongs to exactly one workspace.

    `keep_conversations_days` and `keep_leads_days` are retention periods, counted from the last
    change; null keeps the data without limit.

    Deletion has three steps. `deletion_due_at` is set when an owner requests it, and cleared if
    they cancel. `closed_at` is set once it is due: members and API keys lose access. `erased_at`
    is set once user content is deleted; the row, the ledger and the audit log remain.
    """

    id = IdField()
    slug = models.CharField(
        max_length=48,
        unique=True,
        validators=[validate_slug],
        error_messages={"unique": "A workspace with this slug exists."},
    )
    name = NameField(max_length=120)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="created_workspaces",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deletion_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    keep_conversations_days = models.PositiveSmallIntegerField(
        null=True, blank=True, editable=False
    )
    keep_leads_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["slug"]
        indexes = [
            models.Index(
                fields=["deletion_due_at"],
                name="workspaces_to_close",
                condition=Q(deletion_due_at__isnull=False, erased_at__isnull=True),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("deletion_due_at")),
                name="workspaces_closed_when_due",
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | Q(closed_at__isnull=False),
                name="workspaces_erased_when_closed",
            ),
            _retention_days_constraint("keep_conversations_days"),
            _retention_days_constraint("keep_leads_days"),
        ]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        """Return the path of the workspace's first dashboard page."""
        return f"/w/{self.slug}/"

    def audit_target(self) -> tuple[str, str, str]:
        return self.id, self.id, self.name
