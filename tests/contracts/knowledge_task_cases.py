"""Work for the periodic tasks of knowledge bases."""

from __future__ import annotations

from django.db import connection

from apps.audit.services import SYSTEM
from apps.credits.models import EntryKind, LedgerEntry
from apps.knowledge.models import ChunkVector, Generation, KnowledgeBase, Source
from apps.knowledge.pipeline.claiming import claim_source
from apps.knowledge.pipeline.indexing import index_source
from apps.knowledge.search.vectors_sql import MAX_EXACT_CHUNKS, index_name
from apps.knowledge.services.bases import update_knowledge_base
from apps.knowledge.services.sources import add_text, delete_source
from tests.contracts.task_case import ITEM_COUNT, Case
from tests.factories import Team, grant_credits
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base


def sources_to_index(team: Team) -> Case:
    _add_texts(team)
    sources = Source.objects.filter(workspace=team.workspace)
    vectors = ChunkVector.objects.filter(workspace=team.workspace)

    def result() -> tuple[list[str], int]:
        return sorted(sources.values_list("status", flat=True)), vectors.count()

    return result, (["ready"] * ITEM_COUNT, ITEM_COUNT)


def embedding_models_to_change(team: Team) -> Case:
    base = _add_texts(team)
    _index_all()
    grant_credits(team.workspace, 1000)
    model = make_embedding_model(credits_per_1k_tokens=1000)
    update_knowledge_base(base=base, name=base.name, embedding_model=model, actor=SYSTEM)
    vectors = ChunkVector.objects.filter(workspace=team.workspace, embedding_model=model)
    charges = LedgerEntry.objects.filter(workspace=team.workspace, kind=EntryKind.EMBEDDING)

    def result() -> tuple[bool, int, list[int]]:
        base.refresh_from_db()
        charged = list(charges.values_list("amount", flat=True))
        return base.embedding_model_id == model.id, vectors.count(), charged

    return result, (True, ITEM_COUNT, [-5 * ITEM_COUNT])  # words


def vector_index_to_build(team: Team) -> Case:
    model = make_embedding_model()
    base = make_knowledge_base(team.workspace, embedding_model=model)
    add_text(base=base, title="Large", text="words", actor=SYSTEM)
    Source.objects.filter(knowledge_base=base).update(chunks=MAX_EXACT_CHUNKS + 1, due_at=None)

    def result() -> list[tuple[bool]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
                [index_name(model.id)],
            )
            return [(is_valid,) for (is_valid,) in cursor.fetchall()]

    return result, [(True,)]


def generations_to_erase(team: Team) -> Case:
    base = _add_texts(team)
    _index_all()
    for source in Source.objects.filter(knowledge_base=base):
        delete_source(source=source, actor=SYSTEM)

    def result() -> tuple[int, int, int]:
        ours = {"workspace": team.workspace}
        return (
            Source.objects.filter(**ours).count(),
            Generation.objects.filter(**ours).count(),
            ChunkVector.objects.filter(**ours).count(),
        )

    return result, (0, 0, 0)


def _add_texts(team: Team) -> KnowledgeBase:
    # What other tests have left is nobody's work here.
    Source.objects.exclude(workspace=team.workspace).update(due_at=None)
    KnowledgeBase.objects.exclude(workspace=team.workspace).update(next_embedding_model=None)
    base = make_knowledge_base(team.workspace)
    for number in range(ITEM_COUNT):
        add_text(base=base, title=f"Text {number}", text=f"Text number {number}.", actor=SYSTEM)
    return base


def _index_all() -> None:
    while (source := claim_source()) is not None:
        index_source(source, deadline=float("inf"))
