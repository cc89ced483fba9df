"""What one indexing of a source found: its generation and the generation's documents."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.knowledge.models.sources import MAX_REASON_LENGTH, MAX_URL_LENGTH, Source
from apps.workspaces.models import Workspace


class Generation(models.Model):
    """The result of indexing a source once.

    It is being built until `finished_at`, then it is the source's live generation, until the next
    one takes its place and it is erased. A finished generation that is not live is discarded.
    `is_read` says that all its documents are stored. Until then `frontier` is where a crawl goes on
    (`fetching.Frontier`), so that any worker can continue it. `start_url` is the address that its
    pages were read from, and `note` what their owner has to know of them, such as how many could
    not be read.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.ForeignKey(
        Source, on_delete=models.DO_NOTHING, related_name="generations", db_constraint=False
    )
    frontier = models.JSONField(null=True, blank=True)
    is_read = models.BooleanField(default=False)
    start_url = models.CharField(max_length=MAX_URL_LENGTH, blank=True, default="", db_default="")
    note = models.CharField(max_length=MAX_REASON_LENGTH, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("workspace", "id", name="knowledge_generation_in_workspace"),
            models.UniqueConstraint(
                "source",
                condition=Q(finished_at__isnull=True),
                name="knowledge_one_generation_is_built",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} of {self.source_id}"


class DocumentStatus(models.TextChoices):
    """What came of a document: chunks, or a reason why it has none."""

    READY = "ready"
    SKIPPED = "skipped"
    FAILED = "failed"


class Document(models.Model):
    """A file, text or page of a generation. A crawl has one for each address that it looked at.

    `etag` and `last_modified` are as the site sent them, for the next conditional request;
    `digest` is the SHA-256 of the content, by which unchanged and repeated pages are known. `depth`
    is how many links a page is away from the first one. A document that is ready has a `reason` if
    it is an earlier generation's, kept because its page could not be fetched.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    generation = models.ForeignKey(
        Generation,
        on_delete=models.DO_NOTHING,
        related_name="documents",
        db_constraint=False,
        db_index=False,
    )
    position = models.PositiveIntegerField()
    url = models.CharField(max_length=MAX_URL_LENGTH, blank=True)
    title = NameField(max_length=300, blank=True)
    status = models.CharField(max_length=7, choices=DocumentStatus)
    reason = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)
    etag = models.CharField(max_length=300, blank=True)
    last_modified = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    bytes = models.PositiveIntegerField(default=0)
    depth = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("workspace", "id", name="knowledge_document_in_workspace"),
            models.UniqueConstraint(
                "generation", "position", name="knowledge_document_once_a_position"
            ),
            models.CheckConstraint(
                condition=Q(status=DocumentStatus.READY) | ~Q(reason=""),
                name="knowledge_document_without_chunks_says_why",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
