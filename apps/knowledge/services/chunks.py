"""Changes to chunks, kept for later generations that have the same passage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet, Sum, Value
from django.db.models.functions import Cast

from apps.audit.services import Actor, record_change
from apps.chatbots.models import EmbeddingModel
from apps.core.search_words import build_tsvector
from apps.credits.errors import InsufficientCredits
from apps.credits.queries import balance_for
from apps.knowledge.chunking.split import embedded_text, make_chunk
from apps.knowledge.chunking.types import ChunkText
from apps.knowledge.embedding import embed_passages
from apps.knowledge.errors import ChunkNotFound, EmbeddingUnavailable
from apps.knowledge.models import Chunk, ChunkOverride, ChunkVector, KnowledgeBase, Source
from apps.knowledge.models.uncharged import credits_for
from apps.knowledge.queries import find_chunk, find_knowledge_base
from apps.knowledge.services.bases import lock_knowledge_base
from apps.knowledge.services.embedding_charges import (
    EmbeddingJob,
    charge_embeddings,
    record_tokens,
)
from apps.knowledge.services.sources import lock_source
from apps.llm.errors import ProviderError

MAX_CHUNK_LENGTH = 4000
"""Characters of an edited text. Its first 512 tokens or so are found by their meaning."""
EMBED_SECONDS = 15.0
_MAX_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A text's vector by an embedding model, and the tokens to charge."""

    model: EmbeddingModel
    vector: Sequence[float]
    tokens: int


def update_chunk(*, chunk: Chunk, actor: Actor, changes: Mapping[str, Any]) -> Chunk:
    """Change `text` or `is_enabled` of a chunk and of the same passages elsewhere in its source.

    A `text` of None is the document's own again. Another text is embedded first, by every model
    whose vectors its base has: nothing is changed if that fails, and no search finds the new text
    by the vector of the old one. The changes hold for later generations with the same passage.

    Raises ValidationError; ChunkNotFound if the chunk is found no more; InsufficientCredits;
    EmbeddingUnavailable.
    """
    for _ in range(_MAX_TRIES):
        chunk = find_chunk(chunk.workspace_id, chunk.id)
        passage = _new_passage(chunk, changes)
        base = find_knowledge_base(chunk.workspace_id, chunk.knowledge_base_id)
        embedded = [] if passage.text == chunk.text else _embed(base, passage)
        if _apply(chunk, passage, embedded, changes, actor):
            return find_chunk(chunk.workspace_id, chunk.id)
    raise EmbeddingUnavailable  # the base's model was changed each time


def original_texts(source: Source, chunks: Sequence[Chunk]) -> dict[str, str]:
    """The documents' own texts of those chunks that were edited, by digest."""
    digests = {chunk.digest for chunk in chunks if chunk.is_edited}
    if not digests:
        return {}
    overrides = _overrides(source).filter(digest__in=digests)
    texts = dict(overrides.values_list("digest", "original_text"))
    return {digest: text for digest, text in texts.items() if text is not None}


def _new_passage(chunk: Chunk, changes: Mapping[str, Any]) -> ChunkText:
    """The chunk as it is to be. Raises ValidationError."""
    text = chunk.text
    if "text" in changes:
        text = _original_text(chunk) if changes["text"] is None else changes["text"].strip()
    if not text:
        raise ValidationError({"text": "Give a text, or switch the passage off."})
    if len(text) > MAX_CHUNK_LENGTH and text != chunk.text:
        raise ValidationError({"text": f"Give at most {MAX_CHUNK_LENGTH:,} characters."})
    return make_chunk(chunk.position, tuple(chunk.heading_path), text, chunk.page)


def _original_text(chunk: Chunk) -> str:
    texts = original_texts(chunk.generation.source, [chunk])
    return texts.get(chunk.digest, chunk.text)


def _embed(base: KnowledgeBase, passage: ChunkText) -> list[_Embedded]:
    """Raises InsufficientCredits, EmbeddingUnavailable."""
    models = [model for model in (base.embedding_model, base.next_embedding_model) if model]
    price = sum(credits_for(passage.tokens, model.credits_per_1k_tokens) for model in models)
    if price:
        balance = balance_for(base.workspace_id)
        available = max(balance.balance - balance.held, 0)
        if price > available:
            message = "Too few credits to embed this text."
            raise InsufficientCredits(message, needed=price, available=available)
    try:
        return [_embed_by(model, passage) for model in models]
    except ProviderError as failure:
        raise EmbeddingUnavailable from failure


def _embed_by(model: EmbeddingModel, passage: ChunkText) -> _Embedded:
    embedded = embed_passages(model, [embedded_text(passage)], deadline_seconds=EMBED_SECONDS)
    return _Embedded(model, list(embedded.vectors[0]), embedded.input_tokens)


@transaction.atomic
def _apply(
    chunk: Chunk,
    passage: ChunkText,
    embedded: Sequence[_Embedded],
    changes: Mapping[str, Any],
    actor: Actor,
) -> bool:
    """Store the changes. Return False if the base has other embedding models meanwhile.

    Raises ChunkNotFound.
    """
    base = lock_knowledge_base(chunk.generation.source.knowledge_base)
    source = lock_source(chunk.generation.source)
    if source.live_generation_id != chunk.generation_id:
        raise ChunkNotFound
    is_edited = passage.text != chunk.text
    needed = {base.embedding_model_id, base.next_embedding_model_id} - {None}
    if is_edited and not needed <= {each.model.id for each in embedded}:
        return False
    same = _same_passages(source, chunk)
    if is_edited:
        _replace_text(same, passage)
        _replace_vectors(same, [each for each in embedded if each.model.id in needed])
    is_enabled = changes.get("is_enabled", chunk.is_enabled)
    same.update(is_enabled=is_enabled)
    _keep(source, chunk, passage.text, is_enabled)
    Source.objects.filter(workspace_id=source.workspace_id, id=source.id).update(
        tokens=_live_tokens(source)
    )
    record_change(source, actor=actor, action="source.chunk_changed", chunk=chunk.id)
    for each in embedded:
        job = EmbeddingJob(source.workspace_id, base.id, each.model, chunk.generation_id)
        record_tokens(job, tokens=each.tokens)
        charge_embeddings(job.uncharged())
    return True


def _same_passages(source: Source, chunk: Chunk) -> QuerySet[Chunk]:
    """The chunks of this passage, in what is found and in what is being built."""
    live = Q(generation_id=source.live_generation_id)
    building = Q(generation__source=source, generation__finished_at=None)
    chunks = Chunk.objects.filter(live | building, workspace_id=source.workspace_id)
    ids = list(chunks.filter(digest=chunk.digest).values_list("id", flat=True))
    return Chunk.objects.filter(workspace_id=source.workspace_id, id__in=ids)


def _replace_text(same: QuerySet[Chunk], passage: ChunkText) -> None:
    words = Cast(Value(build_tsvector(embedded_text(passage))), SearchVectorField())
    same.update(text=passage.text, tokens=passage.tokens, words=words)


def _replace_vectors(same: QuerySet[Chunk], embedded: Sequence[_Embedded]) -> None:
    """Also those of models that the base no longer uses, which it may again."""
    chunks = list(same.defer("words", "text"))
    ChunkVector.objects.filter(
        workspace_id__in={chunk.workspace_id for chunk in chunks}, chunk__in=chunks
    ).delete()
    ChunkVector.objects.bulk_create(
        ChunkVector(
            workspace_id=chunk.workspace_id,
            knowledge_base_id=chunk.knowledge_base_id,
            generation_id=chunk.generation_id,
            chunk=chunk,
            embedding_model=each.model,
            embedding=list(each.vector),
        )
        for chunk in chunks
        for each in embedded
    )


def _keep(source: Source, chunk: Chunk, text: str, is_enabled: bool) -> None:
    """Keep the changes for later generations; forget those that were undone."""
    override = _overrides(source).filter(digest=chunk.digest).first()
    original = chunk.text if override is None else override.original_text or chunk.text
    is_edited = text != original
    _same_passages(source, chunk).update(is_edited=is_edited)
    if not is_edited and is_enabled:
        _overrides(source).filter(digest=chunk.digest).delete()
        return
    ChunkOverride.objects.update_or_create(
        workspace_id=source.workspace_id,
        source=source,
        digest=chunk.digest,
        defaults={
            "text": text if is_edited else None,
            "original_text": original if is_edited else None,
            "is_enabled": is_enabled,
        },
    )


def _overrides(source: Source) -> QuerySet[ChunkOverride]:
    return ChunkOverride.objects.filter(workspace_id=source.workspace_id, source=source)


def _live_tokens(source: Source) -> int:
    chunks = Chunk.objects.filter(
        workspace_id=source.workspace_id, generation_id=source.live_generation_id
    )
    return int(chunks.aggregate(total=Sum("tokens"))["total"] or 0)
