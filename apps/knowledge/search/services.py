"""Search the knowledge bases of a workspace."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from apps.knowledge.embedding import embed_query_in_thread
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.search.results import MatchedBy, Passage, select_passages
from apps.knowledge.search.statement import build_search
from apps.knowledge.search.terms import search_terms

MAX_QUESTION_LENGTH = 2000
"""Characters of a question that are searched: its end, where people say what they want."""


def search(
    bases: Sequence[KnowledgeBase], question: str, *, max_passages: int, max_tokens: int
) -> list[Passage]:
    """The passages of these knowledge bases, all of one workspace, that answer a question best.

    Raises ProviderError if the embedding model does not answer. Must be called in a thread.
    """
    question = question[-MAX_QUESTION_LENGTH:].strip()
    if not bases or not question:
        return []
    models = {base.embedding_model_id: base.embedding_model for base in bases}
    sql, values = build_search(
        workspace_id=bases[0].workspace_id,
        knowledge_base_ids=[base.id for base in bases],
        vectors={
            model.id: embed_query_in_thread(model, question).vector for model in models.values()
        },
        terms=search_terms(question),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = [_passage(row) for row in cursor.fetchall()]
    return select_passages(found, max_passages=max_passages, max_tokens=max_tokens)


def _passage(row: Sequence[Any]) -> Passage:
    (id, source_id, document_id, position, heading_path, text, page, tokens) = row[:8]
    (digest, title, url, score, vector_rank, word_rank, _distance) = row[8:]
    sides: tuple[tuple[MatchedBy, Any], ...] = (("words", word_rank), ("vectors", vector_rank))
    return Passage(
        chunk_ids=(id,),
        source_id=source_id,
        document_id=document_id,
        position=position,
        last_position=position,
        title=title,
        heading_path=tuple(heading_path),
        url=url,
        page=page,
        text=text,
        tokens=tokens,
        digest=digest,
        score=float(score),
        matched_by=tuple(side for side, rank in sides if rank is not None),
    )
