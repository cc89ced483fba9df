"""REST endpoints of knowledge bases, their sources and chunks."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router, Status

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.chatbots.queries import active_embedding_models
from apps.knowledge import queries
from apps.knowledge.errors import EmbeddingModelNotFound, EmbeddingUnavailable
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.schemas import (
    ChunkListSchema,
    ChunkSchema,
    CreateKnowledgeBaseSchema,
    CreateSource,
    EmbeddingModelListSchema,
    EmbeddingModelSchema,
    KnowledgeBaseListSchema,
    KnowledgeBaseSchema,
    QuestionSourceSchema,
    SearchResultListSchema,
    SearchResultSchema,
    SearchSchema,
    SourceListSchema,
    SourceSchema,
    UpdateKnowledgeBaseSchema,
)
from apps.knowledge.search.services import search
from apps.knowledge.services import bases as base_services
from apps.knowledge.services import sources as source_services
from apps.llm.errors import ProviderError
from apps.workspaces.errors import LimitReached

router = Router(tags=["knowledge"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
ChunkOffset = Annotated[int, Query(ge=0, le=1_000_000, description="How many chunks to leave out.")]
SEARCH_TOKENS = 8000
"""All passages of one search together."""


@router.get("/embedding-models", auth=READ, response=SuccessSchema[EmbeddingModelListSchema])
def list_embedding_models(request: HttpRequest) -> SuccessSchema[EmbeddingModelListSchema]:
    """The embedding models that a knowledge base can use."""
    models = [EmbeddingModelSchema.from_row(row) for row in active_embedding_models()]
    return SuccessSchema(data=EmbeddingModelListSchema(embedding_models=models))


@router.get("/knowledge-bases", auth=READ, response=SuccessSchema[KnowledgeBaseListSchema])
def list_knowledge_bases(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[KnowledgeBaseListSchema]:
    """The workspace's knowledge bases, newest first."""
    bases = queries.with_counts(queries.knowledge_bases_for(get_caller(request).workspace_id))
    page = paginate_newest_first(bases, cursor=cursor, limit=limit)
    rows = [KnowledgeBaseSchema.from_base(base) for base in page.rows]
    return SuccessSchema(
        data=KnowledgeBaseListSchema(knowledge_bases=rows, next_cursor=page.next_cursor)
    )


@router.post(
    "/knowledge-bases",
    auth=MANAGE,
    response={201: SuccessSchema[KnowledgeBaseSchema]},
    openapi_extra=raises(EmbeddingModelNotFound, LimitReached),
)
def create_knowledge_base(
    request: HttpRequest, body: CreateKnowledgeBaseSchema
) -> Status[SuccessSchema[KnowledgeBaseSchema]]:
    """Create an empty knowledge base."""
    model_id = body.embedding_model_id
    base = base_services.create_knowledge_base(
        workspace_id=get_caller(request).workspace_id,
        name=body.name,
        embedding_model=queries.find_embedding_model(model_id) if model_id else None,
        actor=caller_actor(request),
    )
    return Status(201, SuccessSchema(data=_base_schema(request, base.id)))


@router.get(
    "/knowledge-bases/{knowledge_base_id}", auth=READ, response=SuccessSchema[KnowledgeBaseSchema]
)
def get_knowledge_base(
    request: HttpRequest, knowledge_base_id: str
) -> SuccessSchema[KnowledgeBaseSchema]:
    """One knowledge base."""
    return SuccessSchema(data=_base_schema(request, knowledge_base_id))


@router.patch(
    "/knowledge-bases/{knowledge_base_id}",
    auth=MANAGE,
    response=SuccessSchema[KnowledgeBaseSchema],
    openapi_extra=raises(EmbeddingModelNotFound),
)
def update_knowledge_base(
    request: HttpRequest, knowledge_base_id: str, body: UpdateKnowledgeBaseSchema
) -> SuccessSchema[KnowledgeBaseSchema]:
    """Change a knowledge base's name or embedding model."""
    base = _base(request, knowledge_base_id)
    changes = body.model_dump(exclude_unset=True)
    model_id = changes.get("embedding_model_id")
    base_services.update_knowledge_base(
        base=base,
        name=changes.get("name", base.name),
        embedding_model=queries.find_embedding_model(model_id) if model_id else None,
        actor=caller_actor(request),
    )
    return SuccessSchema(data=_base_schema(request, knowledge_base_id))


@router.delete(
    "/knowledge-bases/{knowledge_base_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema]
)
def delete_knowledge_base(
    request: HttpRequest, knowledge_base_id: str
) -> SuccessSchema[DeletedSchema]:
    """Delete a knowledge base with its sources. Chatbots no longer answer from it."""
    base_services.delete_knowledge_base(
        base=_base(request, knowledge_base_id), actor=caller_actor(request)
    )
    return SuccessSchema(data=DeletedSchema(id=knowledge_base_id))


@router.post(
    "/knowledge-bases/{knowledge_base_id}/search",
    auth=READ,
    response=SuccessSchema[SearchResultListSchema],
    openapi_extra=raises(EmbeddingUnavailable),
)
def search_knowledge_base(
    request: HttpRequest, knowledge_base_id: str, body: SearchSchema
) -> SuccessSchema[SearchResultListSchema]:
    """Search a knowledge base as a chatbot does, and see what is found and how. It is free."""
    base = _base(request, knowledge_base_id)
    try:
        passages = search([base], body.query, max_passages=body.limit, max_tokens=SEARCH_TOKENS)
    except ProviderError as failure:
        raise EmbeddingUnavailable from failure
    results = [SearchResultSchema.from_passage(passage) for passage in passages]
    return SuccessSchema(data=SearchResultListSchema(results=results))


@router.get(
    "/knowledge-bases/{knowledge_base_id}/sources",
    auth=READ,
    response=SuccessSchema[SourceListSchema],
)
def list_sources(
    request: HttpRequest,
    knowledge_base_id: str,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> SuccessSchema[SourceListSchema]:
    """The sources of a knowledge base, newest first."""
    sources = queries.sources_of(_base(request, knowledge_base_id))
    page = paginate_newest_first(sources, cursor=cursor, limit=limit)
    rows = [SourceSchema.from_source(source) for source in page.rows]
    return SuccessSchema(data=SourceListSchema(sources=rows, next_cursor=page.next_cursor))


@router.post(
    "/knowledge-bases/{knowledge_base_id}/sources",
    auth=MANAGE,
    response={202: SuccessSchema[SourceSchema]},
    openapi_extra=raises(LimitReached),
)
def create_source(
    request: HttpRequest, knowledge_base_id: str, body: CreateSource
) -> Status[SuccessSchema[SourceSchema]]:
    """Add a text or a Q&A pair, which is indexed in the background. Poll its status."""
    base, actor = _base(request, knowledge_base_id), caller_actor(request)
    if isinstance(body, QuestionSourceSchema):
        source = source_services.add_question_and_answer(
            base=base, questions=body.questions, answer=body.answer, actor=actor
        )
    else:
        source = source_services.add_text(base=base, title=body.title, text=body.text, actor=actor)
    return Status(202, SuccessSchema(data=SourceSchema.from_source(source)))


@router.get("/sources/{source_id}", auth=READ, response=SuccessSchema[SourceSchema])
def get_source(request: HttpRequest, source_id: str) -> SuccessSchema[SourceSchema]:
    """One source, with the progress of its indexing."""
    source = queries.find_source(get_caller(request).workspace_id, source_id)
    return SuccessSchema(data=SourceSchema.from_source(source))


@router.delete("/sources/{source_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema])
def delete_source(request: HttpRequest, source_id: str) -> SuccessSchema[DeletedSchema]:
    """Delete a source. It is found no more at once."""
    source = queries.find_source(get_caller(request).workspace_id, source_id)
    source_services.delete_source(source=source, actor=caller_actor(request))
    return SuccessSchema(data=DeletedSchema(id=source_id))


@router.post(
    "/sources/{source_id}/reindex", auth=MANAGE, response={202: SuccessSchema[SourceSchema]}
)
def reindex_source(request: HttpRequest, source_id: str) -> Status[SuccessSchema[SourceSchema]]:
    """Index a source again. It is found as it is until that is done."""
    source = queries.find_source(get_caller(request).workspace_id, source_id)
    source = source_services.reindex_source(source=source, actor=caller_actor(request))
    return Status(202, SuccessSchema(data=SourceSchema.from_source(source)))


@router.post("/sources/{source_id}/cancel", auth=MANAGE, response=SuccessSchema[SourceSchema])
def cancel_source(request: HttpRequest, source_id: str) -> SuccessSchema[SourceSchema]:
    """End the indexing of a source. A source that is not being indexed is not changed."""
    source = queries.find_source(get_caller(request).workspace_id, source_id)
    source = source_services.cancel_indexing(source=source, actor=caller_actor(request))
    return SuccessSchema(data=SourceSchema.from_source(source))


@router.get("/sources/{source_id}/chunks", auth=READ, response=SuccessSchema[ChunkListSchema])
def list_chunks(
    request: HttpRequest,
    source_id: str,
    limit: PageLimit = 50,
    offset: ChunkOffset = 0,
) -> SuccessSchema[ChunkListSchema]:
    """The passages of a source that searches find, in their order."""
    source = queries.find_source(get_caller(request).workspace_id, source_id)
    chunks = queries.live_chunks(source)[offset : offset + limit]
    rows = [ChunkSchema.from_chunk(chunk, source.id) for chunk in chunks]
    return SuccessSchema(data=ChunkListSchema(chunks=rows, total=source.chunks))


def _base(request: HttpRequest, knowledge_base_id: str) -> KnowledgeBase:
    return queries.find_knowledge_base(get_caller(request).workspace_id, knowledge_base_id)


def _base_schema(request: HttpRequest, knowledge_base_id: str) -> KnowledgeBaseSchema:
    return KnowledgeBaseSchema.from_base(_base(request, knowledge_base_id))
