"""Search the knowledge bases of a workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection, transaction

from apps.chatbots.models import EmbeddingModel
from apps.infrastructure.postgres.threads import in_thread
from apps.knowledge.embedding import embed_query, embed_query_in_thread
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.search.connections import SET_LOCAL, SET_LOCAL_VALUES, execute
from apps.knowledge.search.relevance import probably_answers
from apps.knowledge.search.results import MatchedBy, Passage, select_passages
from apps.knowledge.search.statement import Candidate, QuestionVector, build_search
from apps.knowledge.search.terms import Term, needs_context, search_terms

MAX_QUESTION_LENGTH = 2000
"""Characters of a question that are searched: its end, where people say what they want."""
MAX_CONTEXT_LENGTH = 500


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The passages that were found, best first.

    `is_found`: whether they probably answer the question. If not, they are only the least unlike.
    """

    passages: list[Passage] = field(default_factory=list)
    is_found: bool = False


def search(
    bases: Sequence[KnowledgeBase],
    question: str,
    *,
    context: str = "",
    max_passages: int,
    max_tokens: int,
) -> SearchResult:
    """Search these knowledge bases, all of one workspace, for the answer to a question.

    `context`: the message before it, which is searched with a question that says little alone.
    Raises ProviderError if the embedding model does not answer. Must be called in a thread.
    """
    query = _Query.build(bases, question, context)
    if query is None:
        return SearchResult()
    candidates = _find(query)
    if _has_no_neighbours(candidates) and (changed := _reload_changed(bases)):
        query = replace(query, bases=changed)
        candidates = _find(query)
    return query.result(candidates, max_passages=max_passages, max_tokens=max_tokens)


async def search_in_turn(
    bases: Sequence[KnowledgeBase],
    question: str,
    *,
    context: str = "",
    max_passages: int,
    max_tokens: int,
) -> SearchResult:
    """`search` in an event loop, without a thread. The bases have their embedding models loaded.

    Raises ProviderError, psycopg's errors, and DatabaseUnavailable.
    """
    query = _Query.build(bases, question, context)
    if query is None:
        return SearchResult()
    candidates = await _find_in_loop(query)
    if _has_no_neighbours(candidates) and (changed := await in_thread(_reload_changed, bases)):
        query = replace(query, bases=changed)
        candidates = await _find_in_loop(query)
    return query.result(candidates, max_passages=max_passages, max_tokens=max_tokens)


def _find(query: "_Query") -> list[Candidate]:
    vectors = [
        QuestionVector(model.id, embed_query_in_thread(model, query.text).vector)
        for model in query.models
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SET_LOCAL, SET_LOCAL_VALUES)
        cursor.execute(*query.statement(vectors))
        return [Candidate(*row) for row in cursor.fetchall()]


async def _find_in_loop(query: "_Query") -> list[Candidate]:
    vectors = [
        QuestionVector(model.id, (await embed_query(model, query.text)).vector)
        for model in query.models
    ]
    rows = await execute(query.workspace_id, *query.statement(vectors))
    return [Candidate(*row) for row in rows]


def _has_no_neighbours(candidates: Sequence[Candidate]) -> bool:
    return all(candidate.vector_rank is None for candidate in candidates)


def _reload_changed(bases: Sequence[KnowledgeBase]) -> list[KnowledgeBase]:
    """The bases as they are now, if one has another embedding model than the given ones."""
    ids = [base.id for base in bases]
    found = KnowledgeBase.objects.filter(workspace_id=bases[0].workspace_id, id__in=ids)
    now = list(found.select_related("embedding_model"))
    searched = {base.id: base.embedding_model_id for base in bases}
    is_changed = any(base.embedding_model_id != searched[base.id] for base in now)
    return now if is_changed else []


@dataclass(frozen=True, slots=True)
class _Query:
    """What is searched: the text that is embedded, and the terms."""

    bases: Sequence[KnowledgeBase]
    text: str
    terms: list[Term]

    @classmethod
    def build(cls, bases: Sequence[KnowledgeBase], question: str, context: str) -> "_Query | None":
        """None if there is nothing to search or to search in."""
        question = question[-MAX_QUESTION_LENGTH:].strip()
        if not bases or not question:
            return None
        context = context[-MAX_CONTEXT_LENGTH:].strip() if needs_context(question) else ""
        text = f"{context}\n{question}" if context else question
        return cls(bases, text, search_terms(question, context))

    @property
    def workspace_id(self) -> str:
        """The workspace of the bases."""
        return str(self.bases[0].workspace_id)

    @property
    def models(self) -> list[EmbeddingModel]:
        """The embedding models of the bases, each once."""
        return list({base.embedding_model_id: base.embedding_model for base in self.bases}.values())

    def statement(self, vectors: Sequence[QuestionVector]) -> tuple[str, Mapping[str, Any]]:
        """The SQL and its parameters."""
        return build_search(
            workspace_id=self.workspace_id,
            knowledge_base_ids=[base.id for base in self.bases],
            vectors=vectors,
            terms=self.terms,
        )

    def result(
        self, candidates: Sequence[Candidate], *, max_passages: int, max_tokens: int
    ) -> SearchResult:
        """What the statement's rows say."""
        passages = select_passages(
            map(_passage, candidates), max_passages=max_passages, max_tokens=max_tokens
        )
        is_found = bool(passages) and probably_answers(self.terms, candidates)
        return SearchResult(passages, is_found)


def _passage(found: Candidate) -> Passage:
    sides: tuple[tuple[MatchedBy, int | None], ...] = (
        ("words", found.word_rank),
        ("vectors", found.vector_rank),
    )
    return Passage(
        chunk_ids=(found.id,),
        source_id=found.source_id,
        document_id=found.document_id,
        position=found.position,
        last_position=found.position,
        title=found.title,
        heading_path=tuple(found.heading_path),
        url=found.url,
        page=found.page,
        text=found.text,
        tokens=found.tokens,
        digest=found.digest,
        score=float(found.score),
        matched_by=tuple(side for side, rank in sides if rank is not None),
    )
