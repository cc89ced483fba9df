from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from apps.api_keys.models import ApiKey
from apps.audit.models import ActorKind
from apps.chatbots.models import Chatbot
from apps.core.ids import LENGTH, new_id
from apps.credits.prices import Price
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

# Rows of one tenant may only point at rows of the same tenant. PostgreSQL keeps that: the foreign
# keys marked db_constraint=False are real ones, made in migrations over both columns,
# (workspace, id). An index of their own is left out where another begins with them: each index
# is paid for by every turn.

API = "api"
"""The source of a conversation whose first message names none."""
TITLE_LENGTH = 120
NOTE_LENGTH = 4000
SOURCE_LENGTH = 60
COMMENT_LENGTH = 1000


class Conversation(models.Model):
    """A thread of messages with one chatbot.

    `title` and `note` are the workspace's own words. `source` is what `metadata.source` of the
    first message says. A deleted conversation stays as a row, because turns name it: it is hidden
    from `deleted_at` on, and once `erased_at` is set nothing that was said in it is left.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="conversations", db_index=False
    )
    chatbot = models.ForeignKey(
        Chatbot,
        on_delete=models.PROTECT,
        related_name="conversations",
        db_constraint=False,
        db_index=False,
    )
    title = models.CharField(max_length=TITLE_LENGTH, blank=True, default="", db_default="")
    note = models.TextField(blank=True, default="", db_default="")
    source = models.CharField(max_length=SOURCE_LENGTH, default=API, db_default=API)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_message_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        permissions = [("read_conversation", "Can read what was said, with a reason")]
        indexes = [
            models.Index(
                fields=["workspace", "-last_message_at", "-id"],
                name="conversations_newest",
                condition=Q(deleted_at__isnull=True),
            ),
            models.Index(
                fields=["chatbot", "-last_message_at", "-id"],
                name="conversations_of_chatbot",
                condition=Q(deleted_at__isnull=True),
            ),
            # Those of another source than most have; the others cost it nothing.
            models.Index(
                fields=["workspace", "source", "-last_message_at", "-id"],
                name="conversations_of_source",
                condition=Q(deleted_at__isnull=True) & ~Q(source=API),
            ),
            models.Index(
                fields=["deleted_at"],
                name="conversations_to_erase",
                condition=Q(deleted_at__isnull=False, erased_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="conversations_in_workspace"),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True, erased_at__isnull=True)
                | Q(deleted_at__isnull=False, title="", note=""),
                name="conversations_deleted_say_nothing",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("note"), NOTE_LENGTH),
                name="conversations_note_is_short",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class TurnStatus(models.TextChoices):
    """running, then one of the others for ever."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    ABANDONED = "abandoned"


UNWELL = (TurnStatus.STOPPED, TurnStatus.FAILED, TurnStatus.ABANDONED)


class Turn(models.Model):
    """One paid exchange: a user message in, an assistant message out.

    The price is the one of the moment it opened. `text_so_far` is what the last heartbeat saved;
    it is empty once the turn has settled, because the message holds the text then. `process` is
    the channel of the process that runs it; `delta_lengths` say in what pieces, counted in
    characters, the text came, so that the same frames can be told again.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="turns", db_index=False
    )
    chatbot = models.ForeignKey(Chatbot, on_delete=models.PROTECT, db_constraint=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.PROTECT, related_name="turns", db_constraint=False
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.SET_NULL, null=True, blank=True, db_constraint=False
    )
    status = models.CharField(max_length=9, choices=TurnStatus, default=TurnStatus.RUNNING)
    message_id = models.CharField(max_length=LENGTH, default=new_id, db_collation="C")
    model_name = models.CharField(max_length=120)
    credits_per_reply = models.PositiveIntegerField()
    credits_per_1k_input = models.PositiveIntegerField()
    credits_per_1k_output = models.PositiveIntegerField()
    credits_held = models.PositiveBigIntegerField()
    credits_charged = models.PositiveBigIntegerField(default=0)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    process = models.CharField(max_length=40, blank=True)
    text_so_far = models.TextField(blank=True)
    delta_lengths = ArrayField(models.PositiveIntegerField(), default=list, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    request_digest = models.CharField(max_length=64)
    request_id = models.CharField(max_length=40)
    queue_ms = models.PositiveIntegerField(
        default=0, help_text="From the request's arrival until the turn opened."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    heartbeat_at = models.DateTimeField(db_default=Now(), editable=False)
    first_token_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["workspace", "-created_at", "-id"], name="conversations_turn_newest"
            ),
            # The few that did not end well, newest first; the others cost it nothing.
            models.Index(
                fields=["workspace", "status", "-created_at", "conversation"],
                name="conversations_turn_unwell",
                condition=Q(status__in=["stopped", "failed", "abandoned"]),
            ),
            models.Index(
                fields=["request_id"],
                name="conversations_turn_request",
                condition=Q(status__in=["stopped", "failed", "abandoned"]),
            ),
            models.Index(
                fields=["error_code", "-id"],
                name="conversations_turn_error",
                condition=~Q(error_code=""),
            ),
            models.Index(
                fields=["-settled_at"],
                name="conversations_turn_abandoned",
                condition=Q(status=TurnStatus.ABANDONED),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="conversations_turn_in_workspace"),
            models.UniqueConstraint(
                "conversation",
                condition=Q(status=TurnStatus.RUNNING),
                name="conversations_one_running_turn",
            ),
            models.UniqueConstraint(
                "workspace", "idempotency_key", name="conversations_one_turn_a_key"
            ),
            models.CheckConstraint(
                condition=Q(status__in=TurnStatus.values), name="conversations_turn_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=TurnStatus.RUNNING, settled_at__isnull=True)
                | (~Q(status=TurnStatus.RUNNING) & Q(settled_at__isnull=False)),
                name="conversations_turn_settled_once_not_running",
            ),
            models.CheckConstraint(
                condition=Q(credits_charged__lte=F("credits_held")),
                name="conversations_turn_charge_within_hold",
            ),
            models.CheckConstraint(
                condition=Q(credits_charged=0)
                | Q(status__in=[TurnStatus.COMPLETED, TurnStatus.STOPPED]),
                name="conversations_turn_charged_only_for_an_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.status})"

    @property
    def price(self) -> Price:
        """The price agreed when the turn opened."""
        return Price(self.credits_per_reply, self.credits_per_1k_input, self.credits_per_1k_output)


class Role(models.TextChoices):
    """Who says a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Message(models.Model):
    """One line of a conversation. `metadata` is the caller's and is shown to nobody else."""

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.PROTECT,
        related_name="messages",
        db_constraint=False,
        db_index=False,
    )
    turn = models.ForeignKey(
        Turn,
        on_delete=models.PROTECT,
        related_name="messages",
        db_constraint=False,
        db_index=False,
    )
    role = models.CharField(max_length=9, choices=Role)
    text = models.TextField()
    metadata = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["conversation", "created_at", "id"], name="conversations_messages")
        ]
        constraints = [
            # What a row of another app must name to point here, so that it stays in its workspace.
            models.UniqueConstraint("workspace", "id", name="conversations_message_in_workspace"),
            models.UniqueConstraint("turn", "role", name="conversations_one_message_a_role"),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="conversations_message_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"


class RatingValue(models.TextChoices):
    """Whether an answer was good."""

    UP = "up"
    DOWN = "down"


class Rating(models.Model):
    """What somebody thinks of an answer: the last word of whoever rated it, one an answer."""

    message = models.OneToOneField(
        Message,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="rating",
        db_constraint=False,
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="ratings", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        related_name="ratings",
        db_constraint=False,
        db_index=False,
    )
    value = models.CharField(max_length=4, choices=RatingValue)
    comment = models.CharField(max_length=COMMENT_LENGTH, blank=True)
    actor_kind = models.CharField(max_length=7, choices=ActorKind)
    actor_id = models.CharField(max_length=LENGTH, blank=True, db_collation="C")
    actor_label = models.CharField(max_length=300)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "conversation"], name="conversations_rated"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(value__in=RatingValue.values), name="conversations_rating_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} {self.message_id}"


class Passage(models.Model):
    """The words of a message, or of a conversation's title, as a search finds them.

    Its id is the message's or the conversation's. `search` writes it, some seconds after the
    message: what a turn writes knows nothing of it.
    """

    id = models.CharField(primary_key=True, max_length=LENGTH, db_collation="C", editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        related_name="passages",
        db_constraint=False,
        db_index=False,
    )
    words = SearchVectorField()

    class Meta:
        indexes = [
            GinIndex(
                fields=["workspace", "words"],
                name="conversations_search",
                # Looked through by every search: kept short.
                gin_pending_list_limit=512,
            ),
            models.Index(fields=["conversation"], name="conversations_passages"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SearchProgress(models.Model):
    """The one row that says up to which id the messages have been read into passages."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    read_to = models.CharField(max_length=LENGTH, db_collation="C", blank=True)

    class Meta:
        verbose_name_plural = "search progress"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="conversations_one_progress"),
        ]

    def __str__(self) -> str:
        return self.read_to


# Django knows tables by this module.
from apps.conversations.exports.models import Export, ExportPart  # noqa: E402, F401
