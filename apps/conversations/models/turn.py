"""Turns: one paid exchange, a user message in and an assistant message out."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models.conversation import Conversation
from apps.core.ids import ID_LENGTH, new_id
from apps.credits.prices import Price
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class TurnStatus(models.TextChoices):
    """running, then finally one of the others."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    ABANDONED = "abandoned"


NOT_COMPLETED = (TurnStatus.STOPPED, TurnStatus.FAILED, TurnStatus.ABANDONED)


class Knowledge(models.TextChoices):
    """What came of the search for passages in a turn. A turn without knowledge has none."""

    FOUND = "found"
    NOTHING_FOUND = "nothing_found"
    UNAVAILABLE = "unavailable"


class Turn(models.Model):
    """One paid exchange: a user message in, an assistant message out.

    The price is the one at the time it opened. `text_so_far` is what the last heartbeat saved; it
    is empty once the turn has settled, because the message holds the text then. `process` is the
    channel of the process that runs it. `delta_lengths` are the lengths, in characters, of the
    pieces in which the text was streamed, so that the same frames can be replayed. `knowledge` is
    what followers were told of the search, written with the text. The turn's citations are written
    before that, and count only if it is `found`.
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
    message_id = models.CharField(max_length=ID_LENGTH, default=new_id, db_collation="C")
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
        default=0, help_text="Milliseconds from request arrival to turn start."
    )
    knowledge = models.CharField(max_length=13, choices=Knowledge, blank=True, db_default="")
    retrieval_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="Milliseconds that the search for passages took."
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
            # Only the turns that were not completed, which are few.
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
                fields=["workspace", "-created_at"],
                name="conversations_turn_no_passage",
                condition=Q(knowledge="nothing_found"),
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
                condition=Q(knowledge__in=["", *Knowledge.values]),
                name="conversations_turn_knowledge_known",
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
                | Q(status__in=[TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.ABANDONED]),
                name="conversations_turn_charged_only_for_an_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.status})"

    @property
    def price(self) -> Price:
        """The price agreed when the turn opened."""
        return Price(self.credits_per_reply, self.credits_per_1k_input, self.credits_per_1k_output)

    @property
    def credits_released(self) -> int:
        """Credits that were held and not charged; 0 while the turn runs."""
        return self.credits_held - self.credits_charged if self.settled_at else 0

    @property
    def first_token_ms(self) -> int | None:
        return self._milliseconds_until(self.first_token_at)

    @property
    def total_ms(self) -> int | None:
        return self._milliseconds_until(self.settled_at)

    def _milliseconds_until(self, time: datetime | None) -> int | None:
        return max(0, round((time - self.created_at).total_seconds() * 1000)) if time else None


class TurnSweep(models.Model):
    """The passes of the sweep, in one row: the last one, and the first without a gap before it.

    A pass writes the row, so a gap is a time in which no heartbeat could be written either.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    passed_at = models.DateTimeField(db_default=Now(), editable=False)
    uninterrupted_since = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="conversations_one_sweep")]

    def __str__(self) -> str:
        return f"passed at {self.passed_at}"
