"""REST endpoints of embedding models and knowledge bases."""

from django.http import HttpRequest
from ninja import Status

from apps.api_kit.authentication import get_caller
from apps.api_kit.openapi import WITHOUT_IDEMPOTENCY, raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.chatbots.queries import active_embedding_models
from apps.knowledge import queries
from apps.knowledge.api.access import (
    MANAGE,
    MANAGE_AT_ONCE,
    READ,
    READ_AT_ONCE,
    find_base,
    new_router,
)
from apps.knowledge.api.source_changes import without_null
from apps.knowledge.errors import EmbeddingModelNotFound, EmbeddingUnavailable
from apps.knowledge.models import SourceType
from apps.knowledge.schemas.bases import (
    CreateKnowledgeBaseSchema,
    EmbeddingModelListSchema,
    EmbeddingModelSchema,
    KnowledgeBaseListSchema,
    KnowledgeBaseSchema,
    ReindexedSchema,
    UpdateKnowledgeBaseSchema,
)
from apps.knowledge.schemas.search import (
    SearchResultListSchema,
    SearchResultSchema,
    SearchSchema,
)
from apps.knowledge.schemas.sources import CrawlPreviewSchema, PreviewCrawl
from apps.knowledge.search.services import search
from apps.knowledge.services import bases as services
from apps.knowledge.services import web
from apps.knowledge.services.sources import reindex_knowledge_base as reindex_sources
from apps.llm.errors import ProviderError
from apps.workspaces.errors import LimitReached

router = new_router()

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
    base = services.create_knowledge_base(
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
    base = find_base(request, knowledge_base_id)
    changes = body.model_dump(exclude_unset=True)
    model_id = changes.get("embedding_model_id")
    services.update_knowledge_base(
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
    services.delete_knowledge_base(
        base=find_base(request, knowledge_base_id), actor=caller_actor(request)
    )
    return SuccessSchema(data=DeletedSchema(id=knowledge_base_id))


@router.post(
    "/knowledge-bases/{knowledge_base_id}/reindex",
    auth=MANAGE,
    response={202: SuccessSchema[ReindexedSchema]},
)
def reindex_knowledge_base(
    request: HttpRequest, knowledge_base_id: str
) -> Status[SuccessSchema[ReindexedSchema]]:
    """Fetch and index all sources again. They are found as they are until that is done."""
    base = find_base(request, knowledge_base_id)
    count = reindex_sources(base=base, actor=caller_actor(request))
    return Status(202, SuccessSchema(data=ReindexedSchema(id=base.id, sources=count)))


@router.post(
    "/knowledge-bases/{knowledge_base_id}/crawl-preview",
    auth=MANAGE_AT_ONCE,
    response=SuccessSchema[CrawlPreviewSchema],
    openapi_extra=WITHOUT_IDEMPOTENCY,
)
def preview_crawl(
    request: HttpRequest, knowledge_base_id: str, body: PreviewCrawl
) -> SuccessSchema[CrawlPreviewSchema]:
    """What a website or sitemap would bring, before it is added. Takes up to ten seconds."""
    base = find_base(request, knowledge_base_id)
    source_type = SourceType(body.type)
    found = web.preview_crawl(
        workspace_id=base.workspace_id,
        source_type=source_type,
        url=web.valid_url(body.url),
        rules=web.valid_rules(source_type, without_null(body.model_dump())),
    )
    return SuccessSchema(data=CrawlPreviewSchema.from_preview(found))


@router.post(
    "/knowledge-bases/{knowledge_base_id}/search",
    auth=READ_AT_ONCE,
    response=SuccessSchema[SearchResultListSchema],
    openapi_extra={**WITHOUT_IDEMPOTENCY, **raises(EmbeddingUnavailable)},
)
def search_knowledge_base(
    request: HttpRequest, knowledge_base_id: str, body: SearchSchema
) -> SuccessSchema[SearchResultListSchema]:
    """Search a knowledge base as a chatbot does, and see what is found and how. It is free."""
    base = find_base(request, knowledge_base_id)
    try:
        found = search([base], body.query, max_passages=body.limit, max_tokens=SEARCH_TOKENS)
    except ProviderError as failure:
        raise EmbeddingUnavailable from failure
    results = [SearchResultSchema.from_passage(passage) for passage in found.passages]
    return SuccessSchema(data=SearchResultListSchema(results=results))


def _base_schema(request: HttpRequest, knowledge_base_id: str) -> KnowledgeBaseSchema:
    return KnowledgeBaseSchema.from_base(find_base(request, knowledge_base_id))
