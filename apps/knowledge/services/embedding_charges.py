"""Charge the embedding of passages.

    require_credits    before a batch is embedded: do the free credits cover it?
    record_tokens      in the transaction that stores the batch's vectors
    charge_embeddings  in the transaction that ends a generation or a change of model

A model without a price costs none of the three a statement. Questions are never charged.

Locks: the account is locked last, after the source or base whose rows are charged, and only until
the commit that follows. Nobody who has locked an account waits for a row of knowledge.
"""

from dataclasses import dataclass

from django.db.models import F, QuerySet, Sum

from apps.chatbots.models import EmbeddingModel
from apps.credits.queries import balance_for
from apps.credits.services import charge_embedding
from apps.infrastructure.logging import get_logger
from apps.knowledge.errors import IndexingFailed
from apps.knowledge.models import Chunk, UnchargedEmbedding
from apps.knowledge.models.uncharged import credits_for

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddingJob:
    """What one ledger entry is for: a generation, or without one a change of a base's model."""

    workspace_id: str
    knowledge_base_id: str
    model: EmbeddingModel
    generation_id: str | None = None

    def uncharged(self) -> QuerySet[UnchargedEmbedding]:
        """The job's row, if anything was embedded for it."""
        return UnchargedEmbedding.objects.filter(
            workspace_id=self.workspace_id,
            knowledge_base_id=self.knowledge_base_id,
            generation_id=self.generation_id,
            embedding_model=self.model,
        )


def require_credits(job: EmbeddingJob, *, tokens: int, remaining: QuerySet[Chunk]) -> None:
    """Raise IndexingFailed if less is free than what is uncharged and the next tokens cost.

    Before the first tokens of a job all its `remaining` chunks have to be covered: nothing is
    embedded in vain. Turns may use the credits meanwhile, so it is only a forecast.
    """
    if job.model.credits_per_1k_tokens == 0:
        return
    balance = balance_for(job.workspace_id)
    uncharged = UnchargedEmbedding.objects.filter(workspace_id=job.workspace_id)
    own = job.uncharged().first() or UnchargedEmbedding(
        credits_per_1k_tokens=job.model.credits_per_1k_tokens
    )
    others = sum(each.credits for each in uncharged.exclude(pk=own.pk))
    available = balance.balance - balance.held - others
    if own.tokens == 0:
        tokens = _total_tokens(remaining)
    if _price_with(own, tokens) <= available:
        return
    needed = _price_with(own, _total_tokens(remaining)) - own.credits
    left = max(available - own.credits, 0)
    raise IndexingFailed(
        f"Embedding this needs about {needed:,} {'credit' if needed == 1 else 'credits'} more; "
        f"{left:,} {'is' if left == 1 else 'are'} available."
    )


def record_tokens(job: EmbeddingJob, *, tokens: int) -> None:
    """Add tokens to what is uncharged. The caller has locked the source, or the base."""
    if job.model.credits_per_1k_tokens == 0 or tokens == 0:
        return
    if not job.uncharged().update(tokens=F("tokens") + tokens):
        UnchargedEmbedding.objects.create(
            workspace_id=job.workspace_id,
            knowledge_base_id=job.knowledge_base_id,
            generation_id=job.generation_id,
            embedding_model=job.model,
            credits_per_1k_tokens=job.model.credits_per_1k_tokens,
            tokens=tokens,
        )


def charge_embeddings(uncharged: QuerySet[UnchargedEmbedding]) -> None:
    """Charge and delete these rows, with a ledger entry each. The caller has locked what they are
    for, and changes no other row afterwards that somebody may have locked.

    If less is free than due, what is free is charged.
    """
    for row in uncharged.select_related("embedding_model", "generation").order_by("id"):
        price = f"{row.credits_per_1k_tokens:,} per 1,000"
        entry = charge_embedding(
            workspace_id=row.workspace_id,
            credits=row.credits,
            reason=f"{row.tokens:,} tokens by {row.embedding_model.name}, {price}",
            reference=row.generation.source_id if row.generation else row.knowledge_base_id,
        )
        charged = -entry.amount if entry else 0
        if charged < row.credits:
            log.warning(
                "embedding_not_covered",
                workspace_id=row.workspace_id,
                due=row.credits,
                charged=charged,
            )
        row.delete()


def _price_with(row: UnchargedEmbedding, tokens: int) -> int:
    return credits_for(row.tokens + tokens, row.credits_per_1k_tokens)


def _total_tokens(chunks: QuerySet[Chunk]) -> int:
    return int(chunks.aggregate(total=Sum("tokens"))["total"] or 0)
