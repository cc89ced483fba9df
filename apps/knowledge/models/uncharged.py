"""Embeddings that are not charged yet."""

from django.db import models
from django.db.models import Q

from apps.chatbots.models import EmbeddingModel
from apps.knowledge.models.bases import KnowledgeBase
from apps.knowledge.models.generations import Generation
from apps.workspaces.models import Workspace


class UnchargedEmbedding(models.Model):
    """Tokens that a priced model has embedded for a generation, or to change the model of a base.

    They are added up in the transactions that store the vectors. The row goes in the transaction
    that ends the generation or the change, with one ledger entry: so all that was embedded is
    charged once. `credits_per_1k_tokens` is the model's price as the first tokens were embedded.
    """

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    knowledge_base = models.ForeignKey(
        KnowledgeBase,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    generation = models.ForeignKey(
        Generation,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    embedding_model = models.ForeignKey(
        EmbeddingModel, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    credits_per_1k_tokens = models.PositiveIntegerField()
    tokens = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "workspace",
                "generation",
                "embedding_model",
                name="knowledge_uncharged_once_a_generation",
            ),
            models.UniqueConstraint(
                "workspace",
                "knowledge_base",
                "embedding_model",
                condition=Q(generation__isnull=True),
                name="knowledge_uncharged_once_a_change",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tokens:,} tokens of {self.generation_id or self.knowledge_base_id}"

    @property
    def credits(self) -> int:
        """What is due, rounded up."""
        return credits_for(self.tokens, self.credits_per_1k_tokens)


def credits_for(tokens: int, credits_per_1k_tokens: int) -> int:
    """The price of embedded tokens in whole credits, rounded up."""
    return -(-tokens * credits_per_1k_tokens // 1000)
