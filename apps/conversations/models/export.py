from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.ids import ID_LENGTH
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class ExportFormat(models.TextChoices):
    """The file format. Both have one line per message."""

    CSV = "csv", "CSV"
    JSONL = "jsonl", "JSON Lines"


class ExportStatus(models.TextChoices):
    """pending, then running, then finally completed or failed."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


UNFINISHED_STATUSES = (ExportStatus.PENDING, ExportStatus.RUNNING)


class Export(models.Model):
    """A file of a workspace's conversations and the progress of writing it.

    A part and the position after it (`after_…`) are written in one transaction, so that another
    worker can continue without gaps or repeats. `claim` identifies the worker that writes it.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="exports")
    format = models.CharField(max_length=5, choices=ExportFormat)
    filters = models.JSONField(default=dict, blank=True)
    asked_by = models.CharField(max_length=300, help_text="Email address or API key name.")
    status = models.CharField(
        max_length=9, choices=ExportStatus, default=ExportStatus.PENDING, editable=False
    )
    conversations_total = models.PositiveBigIntegerField(null=True, blank=True, editable=False)
    conversations_done = models.PositiveBigIntegerField(default=0, editable=False)
    rows = models.PositiveBigIntegerField(default=0, editable=False)
    size = models.PositiveBigIntegerField(default=0, editable=False, help_text="Size in bytes.")
    parts = models.PositiveIntegerField(default=0, editable=False)
    after_conversation_id = models.CharField(
        max_length=ID_LENGTH, blank=True, db_collation="C", editable=False
    )
    after_message_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Empty when the conversation was exported completely.",
    )
    after_message_id = models.CharField(
        max_length=ID_LENGTH, blank=True, db_collation="C", editable=False
    )
    claim = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C", editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Attempts since the last part was written."
    )
    error = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        app_label = "conversations"
        indexes = [
            models.Index(
                fields=["workspace", "-created_at", "-id"], name="conversations_export_newest"
            ),
            models.Index(
                fields=["created_at"],
                name="conversations_export_open",
                condition=Q(status__in=["pending", "running"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="conversations_export_in_workspace"),
            models.CheckConstraint(
                condition=Q(format__in=ExportFormat.values),
                name="conversations_export_format_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=UNFINISHED_STATUSES, finished_at__isnull=True)
                | Q(status__in=["completed", "failed"], finished_at__isnull=False),
                name="conversations_export_finished_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.format} {self.id} ({self.status})"

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, f"{self.format} export"

    @property
    def expires_at(self) -> datetime:
        """The time after which it is deleted."""
        return self.created_at + timedelta(days=settings.EXPORT_KEPT_DAYS)


class ExportPart(models.Model):
    """A part of an export's file, as bytes. Parts are numbered from 0."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    export = models.ForeignKey(
        Export, on_delete=models.CASCADE, related_name="written", db_constraint=False
    )
    number = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        app_label = "conversations"
        constraints = [
            models.UniqueConstraint("export", "number", name="conversations_export_part_once"),
        ]

    def __str__(self) -> str:
        return f"{self.export_id}/{self.number}"
