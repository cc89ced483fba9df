"""Sources of a knowledge base, and the files that were uploaded as such."""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.ids import ID_LENGTH
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.knowledge.models.bases import KnowledgeBase
from apps.workspaces.models import Workspace

MAX_URL_LENGTH = 2000
MAX_REASON_LENGTH = 500


class SourceType(models.TextChoices):
    """What a source is read from."""

    FILE = "file", "File"
    PAGE = "page", "Web page"
    SITEMAP = "sitemap", "Sitemap"
    CRAWL = "crawl", "Website"
    TEXT = "text", "Text"
    QNA = "qna", "Question and answer"


WEB_TYPES = (SourceType.PAGE, SourceType.SITEMAP, SourceType.CRAWL)


class SourceStatus(models.TextChoices):
    """pending, then the steps of indexing, then ready or failed; again from pending when refreshed.

    Whatever the status is, the live generation is found by searches.
    """

    PENDING = "pending"
    FETCHING = "fetching"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    READY = "ready"
    FAILED = "failed"


INDEXING_STATUSES = (
    SourceStatus.PENDING,
    SourceStatus.FETCHING,
    SourceStatus.PARSING,
    SourceStatus.EMBEDDING,
)


class RefreshInterval(models.TextChoices):
    """How often a source is fetched again."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"


REFRESH_INTERVALS = {
    RefreshInterval.DAILY: timedelta(days=1),
    RefreshInterval.WEEKLY: timedelta(days=7),
}


class Source(models.Model):
    """A file, page, site, text or Q&A pair of a knowledge base.

    Indexing builds a generation of chunks beside the live one and then swaps them. `due_at` is when
    a worker may take the source (null: nothing is to be done; the end of the claim while a worker
    has it). `claim` identifies that worker; whoever changes what is to be done changes it, too.

    `text` is a text, or the answer to `questions`. `rules` are a crawl's limits and patterns, as
    `fetching.CrawlRules`. `chunks`, `tokens` and `bytes` are those of the live generation.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    knowledge_base = models.ForeignKey(
        KnowledgeBase,
        on_delete=models.DO_NOTHING,
        related_name="sources",
        db_constraint=False,
        db_index=False,
    )
    type = models.CharField(max_length=7, choices=SourceType, editable=False)
    title = NameField(max_length=300)
    url = models.CharField(max_length=MAX_URL_LENGTH, blank=True)
    text = models.TextField(blank=True)
    questions = ArrayField(models.TextField(), default=list, blank=True)
    rules = models.JSONField(default=dict, blank=True)
    refresh_every = models.CharField(
        max_length=6, choices=RefreshInterval, default=RefreshInterval.NEVER
    )
    status = models.CharField(
        max_length=9, choices=SourceStatus, default=SourceStatus.PENDING, editable=False
    )
    status_reason = models.CharField(max_length=MAX_REASON_LENGTH, blank=True, editable=False)
    progress_done = models.PositiveIntegerField(default=0, editable=False)
    progress_total = models.PositiveIntegerField(null=True, blank=True, editable=False)
    live_generation_id = models.CharField(  # noqa: DJ001 - an id, null while nothing is live
        max_length=ID_LENGTH, null=True, blank=True, db_collation="C", editable=False
    )
    chunks = models.PositiveIntegerField(default=0, editable=False)
    tokens = models.PositiveBigIntegerField(default=0, editable=False)
    bytes = models.PositiveBigIntegerField(default=0, editable=False)
    due_at = models.DateTimeField(null=True, blank=True, db_default=Now(), editable=False)
    attempts = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Attempts since the last progress."
    )
    claim = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C", editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    refreshed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["knowledge_base", "-created_at", "-id"], name="knowledge_source_newest"
            ),
            models.Index(
                fields=["workspace", "due_at"],
                name="knowledge_source_due",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(
                fields=["workspace", "claimed_at"],
                name="knowledge_source_served",
                condition=Q(claimed_at__isnull=False),
            ),
            models.Index(
                fields=["claimed_until"],
                name="knowledge_source_claimed",
                condition=Q(claimed_until__isnull=False),
            ),
            models.Index(
                fields=["deleted_at"],
                name="knowledge_source_deleted",
                condition=Q(deleted_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="knowledge_source_in_workspace"),
            models.CheckConstraint(
                condition=Q(type__in=SourceType.values), name="knowledge_source_type_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=SourceStatus.values), name="knowledge_source_status_known"
            ),
            models.CheckConstraint(
                condition=Q(refresh_every="never") | Q(type__in=WEB_TYPES),
                name="knowledge_only_web_sources_are_refreshed",
            ),
            models.CheckConstraint(
                condition=Q(status="failed", status_reason__gt="") | ~Q(status="failed"),
                name="knowledge_failed_source_says_why",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True)
                | Q(live_generation_id__isnull=True, due_at__isnull=True),
                name="knowledge_deleted_source_is_not_found",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def audit_target(self) -> tuple[str, str, str]:
        # The title may be a person's question or the name of a file, and the audit log stays.
        return self.workspace_id, self.id, self.get_type_display()


class SourceFile(models.Model):
    """The file of a source, as it was uploaded."""

    source = models.OneToOneField(
        Source,
        on_delete=models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="file",
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    name = NameField(max_length=300)
    content_type = models.CharField(max_length=200, blank=True)
    size = models.PositiveIntegerField(help_text="Size in bytes.")
    body = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["workspace"], name="knowledge_file_stored")]

    def __str__(self) -> str:
        return str(self.source_id)
