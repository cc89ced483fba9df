"""Changes to knowledge bases."""

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.audit.services import Actor, record_change
from apps.chatbots.models import EmbeddingModel
from apps.chatbots.queries import default_embedding_model
from apps.infrastructure.postgres.rows import first_or_raise
from apps.knowledge.errors import EmbeddingModelNotFound, KnowledgeBaseNotFound
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    KnowledgeBase,
    Source,
    UnchargedEmbedding,
)
from apps.knowledge.queries import knowledge_bases_for
from apps.knowledge.services.embedding_charges import EmbeddingJob, charge_embeddings
from apps.knowledge.services.generations import discard_unfinished
from apps.workspaces.services import lock_workspace, require_fewer


@transaction.atomic
def create_knowledge_base(
    *, workspace_id: str, name: str, embedding_model: EmbeddingModel | None = None, actor: Actor
) -> KnowledgeBase:
    """Create an empty knowledge base, by default with the catalogue's default embedding model.

    Raises ValidationError; LimitReached if the workspace has MAX_KNOWLEDGE_BASES;
    EmbeddingModelNotFound if the catalogue has no default; NotFound if the workspace is closed.
    """
    lock_workspace(workspace_id=workspace_id)
    text = "A workspace has at most {limit} knowledge bases. Delete one first."
    bases = knowledge_bases_for(workspace_id)
    require_fewer(bases, settings.MAX_KNOWLEDGE_BASES, limit_text=text)
    model = embedding_model or default_embedding_model()
    if model is None:
        raise EmbeddingModelNotFound
    base = KnowledgeBase(workspace_id=workspace_id, name=name, embedding_model=model)
    base.full_clean()
    base.save(force_insert=True)
    base.refresh_from_db()
    record_change(base, actor=actor, action="knowledge_base.created")
    return base


@transaction.atomic
def update_knowledge_base(
    *,
    base: KnowledgeBase,
    name: str,
    embedding_model: EmbeddingModel | None = None,
    actor: Actor,
) -> KnowledgeBase:
    """Rename a knowledge base, and have its chunks embedded by another model in the background.

    Searches use the old vectors until all chunks have new ones. The present model ends a change
    that is going on. Raises ValidationError, or KnowledgeBaseNotFound if it was deleted meanwhile.
    """
    base = lock_knowledge_base(base)
    if base.name != name:
        base.name = name
        base.full_clean()
        base.save(update_fields=["name"])
        record_change(base, actor=actor, action="knowledge_base.renamed")
    if embedding_model is not None:
        _change_embedding_model(base, embedding_model, actor)
    return base


def _change_embedding_model(base: KnowledgeBase, model: EmbeddingModel, actor: Actor) -> None:
    is_present = base.embedding_model_id == model.id
    following = None if is_present else model
    is_same = base.next_embedding_model_id == (following.id if following else None)
    if is_same and not base.embedding_error:  # a change that failed is tried again
        return
    ended = base.next_embedding_model
    unused = {*base.unused_embedding_models, base.next_embedding_model_id}
    base.next_embedding_model = following
    base.unused_embedding_models = sorted(id for id in unused - {model.id} if id is not None)
    base.embedding_error = ""
    base.save(update_fields=["next_embedding_model", "unused_embedding_models", "embedding_error"])
    record_change(
        base,
        actor=actor,
        action="knowledge_base.embedding_model_changed",
        embedding_model=model.name,
    )
    if ended is not None and not is_same:
        charge_embeddings(EmbeddingJob(base.workspace_id, base.id, ended).uncharged())


@transaction.atomic
def delete_knowledge_base(*, base: KnowledgeBase, actor: Actor) -> None:
    """Delete a knowledge base with its sources. It is found no more at once, and erased soon."""
    base = lock_knowledge_base(base)
    base.deleted_at = Now()
    base.save(update_fields=["deleted_at"])
    sources = Source.objects.filter(workspace_id=base.workspace_id, knowledge_base=base)
    sources.filter(deleted_at=None).update(
        deleted_at=Now(), live_generation_id=None, due_at=None, claim=""
    )
    attachments = ChatbotKnowledgeBase.objects.filter(workspace_id=base.workspace_id)
    attachments.filter(knowledge_base=base).delete()
    record_change(base, actor=actor, action="knowledge_base.deleted")
    discard_unfinished(base.workspace_id, sources)
    charge_embeddings(
        UnchargedEmbedding.objects.filter(workspace_id=base.workspace_id, knowledge_base=base)
    )


def lock_knowledge_base(base: KnowledgeBase) -> KnowledgeBase:
    """Raises KnowledgeBaseNotFound if it was deleted meanwhile."""
    bases = KnowledgeBase.objects.filter(
        workspace_id=base.workspace_id, id=base.id, deleted_at=None
    )
    return first_or_raise(bases.select_for_update(no_key=True), KnowledgeBaseNotFound)
