from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class AlertKind(models.TextChoices):
    """Which limit the balance fell below."""

    LOW = "low", "Low balance"
    EXHAUSTED = "exhausted", "No credits left"


class Alert(models.Model):
    """The balance fell below the workspace's threshold, or to 0. Emailed once."""

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="balance_alerts"
    )
    kind = models.CharField(max_length=9, choices=AlertKind)
    balance = models.BigIntegerField()
    threshold = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    mailed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "balance alert"
        indexes = [
            models.Index(
                fields=["created_at"],
                name="credits_alerts_to_mail",
                condition=Q(mailed_at__isnull=True),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=AlertKind.values), name="credits_alert_kind_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workspace}: {self.kind}"
