"""REST endpoints of sources."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Status

from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.knowledge import queries
from apps.knowledge.api.access import (
    MANAGE,
    READ,
    PageOffset,
    find_base,
    find_source,
    new_router,
)
from apps.knowledge.models import DocumentStatus
from apps.knowledge.schemas.sources import (
    CreateSource,
    DocumentListSchema,
    DocumentSchema,
    QuestionSourceSchema,
    SourceListSchema,
    SourceSchema,
)
from apps.knowledge.services import sources as services
from apps.workspaces.errors import LimitReached

router = new_router()

StatusFilter = Annotated[
    DocumentStatus | None, Query(description="Only documents with this status.")
]


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
    sources = queries.sources_of(find_base(request, knowledge_base_id))
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
    base, actor = find_base(request, knowledge_base_id), caller_actor(request)
    if isinstance(body, QuestionSourceSchema):
        source = services.add_question_and_answer(
            base=base, questions=body.questions, answer=body.answer, actor=actor
        )
    else:
        source = services.add_text(base=base, title=body.title, text=body.text, actor=actor)
    return Status(202, SuccessSchema(data=SourceSchema.from_source(source)))


@router.get("/sources/{source_id}", auth=READ, response=SuccessSchema[SourceSchema])
def get_source(request: HttpRequest, source_id: str) -> SuccessSchema[SourceSchema]:
    """One source, with the progress of its indexing."""
    source = find_source(request, source_id)
    return SuccessSchema(data=SourceSchema.from_source(source))


@router.delete("/sources/{source_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema])
def delete_source(request: HttpRequest, source_id: str) -> SuccessSchema[DeletedSchema]:
    """Delete a source. It is found no more at once."""
    source = find_source(request, source_id)
    services.delete_source(source=source, actor=caller_actor(request))
    return SuccessSchema(data=DeletedSchema(id=source_id))


@router.post(
    "/sources/{source_id}/reindex", auth=MANAGE, response={202: SuccessSchema[SourceSchema]}
)
def reindex_source(request: HttpRequest, source_id: str) -> Status[SuccessSchema[SourceSchema]]:
    """Index a source again. It is found as it is until that is done."""
    source = find_source(request, source_id)
    source = services.reindex_source(source=source, actor=caller_actor(request))
    return Status(202, SuccessSchema(data=SourceSchema.from_source(source)))


@router.post("/sources/{source_id}/cancel", auth=MANAGE, response=SuccessSchema[SourceSchema])
def cancel_source(request: HttpRequest, source_id: str) -> SuccessSchema[SourceSchema]:
    """End the indexing of a source. A source that is not being indexed is not changed."""
    source = find_source(request, source_id)
    source = services.cancel_indexing(source=source, actor=caller_actor(request))
    return SuccessSchema(data=SourceSchema.from_source(source))


@router.get("/sources/{source_id}/documents", auth=READ, response=SuccessSchema[DocumentListSchema])
def list_documents(
    request: HttpRequest,
    source_id: str,
    limit: PageLimit = 50,
    offset: PageOffset = 0,
    status: StatusFilter = None,
) -> SuccessSchema[DocumentListSchema]:
    """The pages of a site, or the one file or text of a source, and what came of each."""
    documents = queries.documents_of(find_source(request, source_id))
    if status is not None:
        documents = documents.filter(status=status)
    rows = [DocumentSchema.from_document(each) for each in documents[offset : offset + limit]]
    return SuccessSchema(data=DocumentListSchema(documents=rows, total=documents.count()))
