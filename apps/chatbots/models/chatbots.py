from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.chatbots.models.language_models import LanguageModel
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

MAX_PROMPT_LENGTH = 32_000
MAX_NOT_FOUND_REPLY_LENGTH = 1000
DEFAULT_NOT_FOUND_REPLY = "I could not find an answer to that in our documents."
DEFAULT_PROMPT = "You are a helpful assistant. Answer briefly and truthfully."


class LeadCapture(models.TextChoices):
    """How a chatbot captures the contact details of its visitors."""

    OFF = "off", "Off"
    DETECT = "detect", "Detect: find contact details in messages"
    ASK = "ask", "Ask: detect, and have the chatbot ask for contact details"


class KnowledgeMode(models.TextChoices):
    """How a chatbot uses the knowledge bases that are attached to it."""

    OFF = "off", "Off"
    ON = "on", "On: answer from knowledge, and otherwise from what the model knows"
    ONLY = "only", "Only: answer from knowledge, and otherwise with a fixed reply"


class Chatbot(models.Model):
    """A chatbot: a system prompt, a language model and limits.

    A deleted chatbot keeps its row, because conversations refer to it; queries exclude it.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="chatbots")
    name = NameField(max_length=120)
    language_model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT)
    system_prompt = models.TextField(
        max_length=MAX_PROMPT_LENGTH, default=DEFAULT_PROMPT, blank=True
    )
    temperature = models.FloatField(
        default=0.7, validators=[MinValueValidator(0), MaxValueValidator(2)]
    )
    max_reply_tokens = models.PositiveIntegerField(
        default=512, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    history_limit = models.PositiveSmallIntegerField(
        default=20,
        validators=[MaxValueValidator(200)],
        help_text="Number of earlier messages sent to the model.",
    )
    rate_limit_requests = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(10_000)]
    )
    rate_limit_window_seconds = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(86_400)]
    )
    stream_by_default = models.BooleanField(default=False)
    lead_capture = models.CharField(max_length=6, choices=LeadCapture, default=LeadCapture.OFF)
    knowledge_mode = models.CharField(
        max_length=4,
        choices=KnowledgeMode,
        default=KnowledgeMode.ON,
        db_default=KnowledgeMode.ON,
        help_text="Without attached knowledge bases it has no effect.",
    )
    knowledge_passages = models.PositiveSmallIntegerField(
        default=5,
        db_default=5,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="Number of passages shown to the model for one question, at most.",
    )
    knowledge_tokens = models.PositiveSmallIntegerField(
        default=1500,
        db_default=1500,
        validators=[MinValueValidator(100), MaxValueValidator(8000)],
        help_text="Tokens of all passages for one question, at most.",
    )
    knowledge_not_found_reply = NameField(
        max_length=MAX_NOT_FOUND_REPLY_LENGTH,
        default=DEFAULT_NOT_FOUND_REPLY,
        db_default=DEFAULT_NOT_FOUND_REPLY,
        help_text="The answer in mode “only” when nothing is found.",
    )
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["workspace", "-created_at", "-id"],
                name="chatbots_newest",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["workspace"],
                name="chatbots_capturing_leads",
                condition=~Q(lead_capture=LeadCapture.OFF),
            ),
        ]
        constraints = [
            # The target of foreign keys over (workspace, chatbot), which keep tenants apart.
            models.UniqueConstraint("workspace", "id", name="chatbots_chatbot_in_workspace"),
            models.CheckConstraint(
                condition=Q(lead_capture__in=LeadCapture.values),
                name="chatbots_lead_capture_known",
            ),
            models.CheckConstraint(
                condition=Q(knowledge_mode__in=KnowledgeMode.values)
                & Q(knowledge_passages__range=(1, 20))
                & Q(knowledge_tokens__range=(100, 8000)),
                name="chatbots_knowledge_in_range",
            ),
            models.CheckConstraint(
                condition=Q(rate_limit_requests__range=(1, 10_000))
                & Q(rate_limit_window_seconds__range=(1, 86_400)),
                name="chatbots_rate_limit_in_range",
            ),
            models.CheckConstraint(
                condition=Q(max_reply_tokens__range=(1, 100_000)),
                name="chatbots_max_reply_tokens_in_range",
            ),
            models.CheckConstraint(
                condition=Q(temperature__range=(0.0, 2.0)), name="chatbots_temperature_in_range"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(is_active=False),
                name="chatbots_deleted_is_not_active",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, self.name

    def clean(self) -> None:
        # Django checks the length of a TextField only in forms.
        if len(self.system_prompt) > MAX_PROMPT_LENGTH:
            raise ValidationError(
                {"system_prompt": f"Give at most {MAX_PROMPT_LENGTH:,} characters."}
            )
