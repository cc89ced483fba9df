from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.chatbots.models.language_models import validate_http_url, validate_key_variable
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField

MAX_DIMENSIONS = 4000
"""The longest halfvec that pgvector can index."""

MAX_BATCH_SIZE = 2048
"""The most texts that OpenAI accepts in one request."""


class EmbeddingModel(models.Model):
    """An embedding model of the catalogue, managed by staff, with its price.

    As with LanguageModel, staff enter `litellm_model`, and `provider` and `provider_model` are
    resolved. A trigger refuses to change `litellm_model`, `dimensions` and `passage_prefix`: the
    stored vectors would no longer fit the new ones. At most one model is the default, and it is
    active; services keep it from being given up without a successor.
    """

    id = IdField()
    name = NameField(
        max_length=120,
        unique=True,
        help_text="Public name.",
        error_messages={"unique": "An embedding model with this name exists."},
    )
    description = NameField(max_length=500, blank=True)
    litellm_model = models.CharField(max_length=200, help_text="LiteLLM model ID.")
    provider = models.CharField(max_length=20, editable=False)
    provider_model = models.CharField(max_length=200, editable=False)
    api_base = models.CharField(
        max_length=300,
        blank=True,
        validators=[validate_http_url],
        help_text="Base URL of the provider's API. Only ever change it to a server with the "
        "same model.",
    )
    api_key_env = models.CharField(
        max_length=80,
        blank=True,
        validators=[validate_key_variable],
        help_text="Name of the environment variable with the provider's API key.",
    )
    dimensions = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DIMENSIONS)],
        help_text=f"Numbers in a vector, at most {MAX_DIMENSIONS:,}.",
    )
    max_input_tokens = models.PositiveIntegerField(
        default=512,
        validators=[MinValueValidator(32), MaxValueValidator(1_000_000)],
        help_text="Maximum tokens of one text; longer texts are cut.",
    )
    query_prefix = models.CharField(
        max_length=200, blank=True, help_text='Put before questions, such as "query: " for E5.'
    )
    passage_prefix = models.CharField(
        max_length=200, blank=True, help_text='Put before passages, such as "passage: " for E5.'
    )
    batch_size = models.PositiveSmallIntegerField(
        default=32,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_BATCH_SIZE)],
        help_text="Maximum texts in one request.",
    )
    credits_per_1k_tokens = models.PositiveIntegerField(default=0)
    is_default = models.BooleanField(
        default=False, help_text="The model of new knowledge bases. Only one model has this."
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("test_embeddingmodel", "Can embed a sentence to see that an embedding model answers")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="chatbots_one_default_embedding_model",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True),
                name="chatbots_default_embedding_model_is_active",
            ),
            models.CheckConstraint(
                condition=Q(dimensions__range=(1, MAX_DIMENSIONS)),
                name="chatbots_embedding_dimensions_in_range",
            ),
            models.CheckConstraint(
                condition=Q(max_input_tokens__range=(32, 1_000_000)),
                name="chatbots_embedding_max_input_in_range",
            ),
            models.CheckConstraint(
                condition=Q(batch_size__range=(1, MAX_BATCH_SIZE)),
                name="chatbots_embedding_batch_size_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name
