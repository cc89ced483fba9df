from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from apps.credits.prices import Price
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField

RESERVED_VARIABLES = "SECRET_KEY|DATABASE_URL|REDIS_URL"
validate_key_variable = RegexValidator(
    rf"^(?!(?:{RESERVED_VARIABLES})$)[A-Z][A-Z0-9_]*\Z",
    "Name the environment variable that holds the provider's key, such as OPENAI_API_KEY.",
)
# Django's URLValidator rejects host names without a dot, which are common in private networks.
validate_http_url = RegexValidator(
    r"^https?://[^\s/]+", "Give an address that begins with http(s)://."
)


class LanguageModel(models.Model):
    """A language model of the catalogue, managed by staff, with its price.

    Staff enter `litellm_model`; `apps.llm.catalogue` resolves it to `provider`, which selects the
    client, and `provider_model`, the provider's id of the model.
    """

    id = IdField()
    name = NameField(
        max_length=120,
        unique=True,
        help_text="Public name.",
        error_messages={"unique": "A language model with this name exists."},
    )
    description = NameField(max_length=500, blank=True)
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
        """The current price."""
        return Price(self.credits_per_reply, self.credits_per_1k_input, self.credits_per_1k_output)


class PriceChange(models.Model):
    """A change of a price: who, when, the old price (null for a new model) and the new one.

    A trigger inserts a row whenever a language model's price changes; triggers refuse to update
    or delete it. Turns store the price at which they opened and do not read this table.
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
        """The price before the change; None for a new model."""
        amounts = (self.old_per_reply, self.old_per_1k_input, self.old_per_1k_output)
        not_null = [amount for amount in amounts if amount is not None]
        return Price(*not_null) if len(not_null) == len(amounts) else None

    @property
    def new(self) -> Price:
        """The price after the change."""
        return Price(self.new_per_reply, self.new_per_1k_input, self.new_per_1k_output)
