from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.audit.models import ActorKind
from apps.core.ids import ID_LENGTH
from apps.credits.prices import Price
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

RESERVED_VARIABLES = "SECRET_KEY|DATABASE_URL|REDIS_URL"
validate_key_variable = RegexValidator(
    rf"^(?!(?:{RESERVED_VARIABLES})$)[A-Z][A-Z0-9_]*\Z",
    "Name the environment variable that holds the provider's key, such as OPENAI_API_KEY.",
)
# Django's own URL check refuses host names without a dot, which private networks are full of.
validate_http_url = RegexValidator(
    r"^https?://[^\s/]+", "Give an address that begins with http(s)://."
)

MAX_PROMPT_LENGTH = 32_000
DEFAULT_PROMPT = "You are a helpful assistant. Answer briefly and truthfully."


class LanguageModel(models.Model):
    """A catalogue entry, managed by staff: what a chatbot can speak through, and its price.

    `litellm_model` is the name that staff gave; `provider` and `provider_model` are what
    `apps.llm.catalogue` made of it: which of our readers speaks to it, under which id.
    """

    id = IdField()
    name = models.CharField(
        max_length=120,
        unique=True,
        help_text="Public name.",
        error_messages={"unique": "A language model with this name exists."},
    )
    description = models.CharField(max_length=500, blank=True)
    litellm_model = models.CharField(max_length=200, help_text="LiteLLM model ID.")
    provider = models.CharField(max_length=20, editable=False)
    provider_model = models.CharField(max_length=200, editable=False)
    api_base = models.CharField(
        max_length=300,
        blank=True,
        validators=[validate_http_url],
        help_text="Base URL of the provider's API, such as http://10.0.0.5:8000/v1.",
    )
    api_key_env = models.CharField(
        max_length=80,
        blank=True,
        validators=[validate_key_variable],
        help_text="Name of the environment variable with the provider's API key.",
    )
    credits_per_reply = models.PositiveIntegerField(default=0)
    credits_per_1k_input = models.PositiveIntegerField(default=0)
    credits_per_1k_output = models.PositiveIntegerField(default=0)
    context_tokens = models.PositiveIntegerField(
        default=8192, help_text="Maximum tokens for prompt and reply combined."
    )
    supports_streaming = models.BooleanField(default=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        permissions = [("test_languagemodel", "Can ask a language model to see that it answers")]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Price:
        """What a reply costs now."""
        return Price(self.credits_per_reply, self.credits_per_1k_input, self.credits_per_1k_output)


class PriceChange(models.Model):
    """A price as it was set: by whom, when, and what it was before (nothing for a new model).

    PostgreSQL writes one whenever a language model's price changes, by whatever way, and refuses
    to change or delete it. Turns keep the price at which they opened and never look here.
    """

    id = IdField()
    language_model = models.ForeignKey(
        LanguageModel,
        on_delete=models.DO_NOTHING,
        related_name="price_changes",
        db_constraint=False,
        help_text="Kept after the model is deleted.",
    )
    model_name = models.CharField(max_length=120)
    actor_label = models.CharField(max_length=300)
    old_per_reply = models.PositiveIntegerField(null=True, blank=True)
    old_per_1k_input = models.PositiveIntegerField(null=True, blank=True)
    old_per_1k_output = models.PositiveIntegerField(null=True, blank=True)
    new_per_reply = models.PositiveIntegerField()
    new_per_1k_input = models.PositiveIntegerField()
    new_per_1k_output = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["language_model", "-created_at", "-id"], name="chatbots_price_newest"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_name}: {self.new}"

    @property
    def old(self) -> Price | None:
        """The price before; none for a model that is new."""
        parts = (self.old_per_reply, self.old_per_1k_input, self.old_per_1k_output)
        known = [part for part in parts if part is not None]
        return Price(*known) if len(known) == len(parts) else None

    @property
    def new(self) -> Price:
        """The price from then on."""
        return Price(self.new_per_reply, self.new_per_1k_input, self.new_per_1k_output)


class LeadCapture(models.TextChoices):
    """What a chatbot does to learn whom it talks to."""

    OFF = "off", "Off"
    DETECT = "detect", "Detect: find contact details in messages"
    ASK = "ask", "Ask: detect, and have the chatbot ask for contact details"


class Chatbot(models.Model):
    """What a workspace's owner configures and an integrator calls.

    A deleted one keeps its row, for the conversations that point at it, and is found no more.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="chatbots")
    name = models.CharField(max_length=120)
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
            # What a row of another app must name to point here, so that it stays in its workspace.
            models.UniqueConstraint("workspace", "id", name="chatbots_chatbot_in_workspace"),
            models.CheckConstraint(
                condition=Q(lead_capture__in=LeadCapture.values),
                name="chatbots_lead_capture_known",
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

    def clean(self) -> None:
        # Django checks the length of a TextField in forms alone.
        if len(self.system_prompt) > MAX_PROMPT_LENGTH:
            raise ValidationError(
                {"system_prompt": f"Give at most {MAX_PROMPT_LENGTH:,} characters."}
            )


class ChatbotVersion(models.Model):
    """What a chatbot was set to from a change on: who made it, when, and the fields it touched.

    `snapshot` holds every field of `chatbots.services.SETTINGS`, and the language model's name as
    it was. The first version is the chatbot as it was made.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    chatbot = models.ForeignKey(
        Chatbot, on_delete=models.CASCADE, related_name="versions", db_constraint=False
    )
    number = models.PositiveIntegerField()
    actor_kind = models.CharField(max_length=7, choices=ActorKind)
    actor_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    actor_label = models.CharField(max_length=300)
    changed = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    snapshot = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["chatbot", "-created_at", "-id"], name="chatbots_version_newest")
        ]
        constraints = [
            models.UniqueConstraint("chatbot", "number", name="chatbots_version_number_once"),
            models.CheckConstraint(
                condition=Q(actor_kind__in=ActorKind.values),
                name="chatbots_version_actor_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
