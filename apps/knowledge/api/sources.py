"""REST endpoints of sources."""

from typing import Annotated, cast

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Status

from apps.api_kit.authentication import ApiKeyAuth
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import Actor, caller_actor
from apps.knowledge import queries
from apps.knowledge.api.access import (
    MANAGE,
    READ,
    PageOffset,
    find_base,
    find_source,
    new_router,
)
from apps.knowledge.api.source_body import FORM_CONTENT, SourceBody
from apps.knowledge.api.source_changes import columns_to_change, without_null
from apps.knowledge.downloads import file_response
from apps.knowledge.errors import SourceFileNotFound
from apps.knowledge.models import DocumentStatus, KnowledgeBase, Source, SourceType
from apps.knowledge.schemas.sources import (
    CreateSource,
    DocumentListSchema,
    DocumentSchema,
    FileSourceSchema,
    QuestionSourceSchema,
    SourceDetailSchema,
    SourceListSchema,
    SourceSchema,
    TextSourceSchema,
    UpdateSourceSchema,
    WebSourceSchema,
)
from apps.knowledge.services import sources as services
from apps.knowledge.services.web import valid_rules, valid_url
from apps.workspaces.errors import LimitReached

router = new_router()

MANAGE_WITH_FILES = ApiKeyAuth(Scope.MANAGE, accepts_forms=True)
FILE = {
    "200": {
        "description": "The file as it was uploaded, to be saved: never to be shown by a browser.",
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}

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
    auth=MANAGE_WITH_FILES,
    response={202: SuccessSchema[SourceSchema]},
    openapi_extra={"requestBody": {"content": FORM_CONTENT}, **raises(LimitReached)},
)
def create_source(
    request: HttpRequest, knowledge_base_id: str, body: SourceBody
) -> Status[SuccessSchema[SourceSchema]]:
    """Add a source, which is indexed in the background. A file is sent as a form."""
    base, actor = find_base(request, knowledge_base_id), caller_actor(request)
    new = cast(CreateSource | FileSourceSchema, body)
    match new:
        case FileSourceSchema():
            source = services.add_file(
                base=base,
                name=new.file.name or "",
                content_type=new.file.content_type or "",
                body=new.file.read(),
                title=new.title or "",
                actor=actor,
            )
        case QuestionSourceSchema():
            source = services.add_question_and_answer(
                base=base, questions=new.questions, answer=new.answer, actor=actor
            )
        case TextSourceSchema():
            source = services.add_text(base=base, title=new.title, text=new.text, actor=actor)
        case _:
            source = _add_web_source(base, new, actor)
    return Status(202, SuccessSchema(data=SourceSchema.from_source(source)))


def _add_web_source(base: KnowledgeBase, body: WebSourceSchema, actor: Actor) -> Source:
    source_type = SourceType(body.type)
    return services.add_web_source(
        base=base,
        source_type=source_type,
        url=valid_url(body.url),
        title=body.title or "",
        rules=valid_rules(source_type, without_null(body.model_dump())),
        refresh_every=body.refresh_every,
        actor=actor,
    )


@router.get("/sources/{source_id}", auth=READ, response=SuccessSchema[SourceDetailSchema])
def get_source(request: HttpRequest, source_id: str) -> SuccessSchema[SourceDetailSchema]:
    """One source, with the progress of its indexing."""
    source = find_source(request, source_id)
    return SuccessSchema(data=SourceDetailSchema.from_source(source))


@router.patch("/sources/{source_id}", auth=MANAGE, response=SuccessSchema[SourceDetailSchema])
def update_source(
    request: HttpRequest, source_id: str, body: UpdateSourceSchema
) -> SuccessSchema[SourceDetailSchema]:
    """Change a source. If what is read changes, it is indexed again, and found as it is until that
    is done."""
    source = find_source(request, source_id)
    source = services.update_source(
        source=source, changes=columns_to_change(source, body), actor=caller_actor(request)
    )
    return SuccessSchema(data=SourceDetailSchema.from_source(source))


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


@router.get(
    "/sources/{source_id}/file",
    auth=READ,
    response={200: None},
    openapi_extra={"responses": FILE, **raises(SourceFileNotFound)},
)
def download_file(request: HttpRequest, source_id: str) -> StreamingHttpResponse:
    """The uploaded file of a source."""
    return file_response(queries.find_file(find_source(request, source_id)))
