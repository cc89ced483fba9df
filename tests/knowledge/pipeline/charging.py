"""What embedding costs, for tests: begun, due and charged."""

from __future__ import annotations

import time

from apps.audit.services import SYSTEM
from apps.chatbots.models import EmbeddingModel
from apps.credits.models import EntryKind, LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from apps.credits.services import adjust
from apps.knowledge.models import (
    KnowledgeBase,
    Source,
    UnchargedEmbedding,
)
from apps.knowledge.pipeline.claiming import claim_source
from apps.knowledge.pipeline.indexing import index_source
from apps.knowledge.pipeline.vectors import CHUNKS_PER_STEP
from apps.knowledge.services import bases

LONG_TEXT = "\n\n".join(
    f"## Part {number}\n\n" + f"Sentence number {number} of the text. " * 22
    for number in range(CHUNKS_PER_STEP + 2)
)
"""A few chunks more than are embedded between two commits."""
PRICE = 1000
"""A credit a token."""
CREDITS = 1_000_000


def charges(base: KnowledgeBase) -> list[tuple[str, int]]:
    """What each embedding entry is for and how much it took; the balance is the ledger's sum."""
    entries = LedgerEntry.objects.filter(workspace_id=base.workspace_id).order_by("sequence")
    assert balance_for(base.workspace_id).balance == ledger_sum(base.workspace_id)
    embeddings = entries.filter(kind=EntryKind.EMBEDDING)
    return [(entry.reference, -entry.amount) for entry in embeddings]


def uncharged(base: KnowledgeBase) -> int:
    """The credits that are due for what was embedded."""
    rows = UnchargedEmbedding.objects.filter(workspace_id=base.workspace_id)
    return sum(row.credits for row in rows)


def begin(source: Source) -> int:
    """Embed the first chunks of a source, and return the credits that are due for them."""
    claimed = claim_source()
    assert claimed is not None
    index_source(claimed, deadline=time.monotonic())
    source.refresh_from_db()
    assert source.status == "embedding"
    return uncharged(source.knowledge_base)


def leave_free(base: KnowledgeBase, credits: int) -> None:
    """Deduct all other free credits."""
    balance = balance_for(base.workspace_id)
    less = credits - (balance.balance - balance.held)
    adjust(workspace_id=base.workspace_id, credits=less, reason="for a test")


def change_to(base: KnowledgeBase, model: EmbeddingModel) -> KnowledgeBase:
    base.refresh_from_db()
    return bases.update_knowledge_base(
        base=base, name=base.name, embedding_model=model, actor=SYSTEM
    )
