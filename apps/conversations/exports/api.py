"""REST endpoints for exports of conversations."""

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Status

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ExportNotReady, TooManyExports
from apps.conversations.exports import services
from apps.conversations.exports.downloads import export_response
from apps.conversations.exports.queries import exports_for, get_completed_export, get_export
from apps.conversations.exports.schemas import CreateExportSchema, ExportListSchema, ExportSchema

router = Router(tags=["exports"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
FILE = {
    "200": {
        "description": "The file, with one line per message. CSV starts with a header line.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/jsonl": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "/conversation-exports",
    auth=READ,
    response={202: SuccessSchema[ExportSchema]},
    openapi_extra=raises(ChatbotNotFound, TooManyExports),
)
def create_conversation_export(
    request: HttpRequest, body: CreateExportSchema
) -> Status[SuccessSchema[ExportSchema]]:
    """Export conversations to a file, which is written in the background. Poll its status."""
    export = services.request_export(
        workspace_id=get_caller(request).workspace_id,
        file_format=body.format,
        filters=body.to_filters(),
        actor=caller_actor(request),
    )
    return Status(202, SuccessSchema(data=ExportSchema.from_export(export)))


@router.get("/conversation-exports", auth=READ, response=SuccessSchema[ExportListSchema])
def list_conversation_exports(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[ExportListSchema]:
    """List the workspace's exports, newest first."""
    page = paginate_newest_first(
        exports_for(get_caller(request).workspace_id), cursor=cursor, limit=limit
    )
    rows = [ExportSchema.from_export(export) for export in page.rows]
    return SuccessSchema(data=ExportListSchema(exports=rows, next_cursor=page.next_cursor))


@router.get("/conversation-exports/{export_id}", auth=READ, response=SuccessSchema[ExportSchema])
def get_conversation_export(request: HttpRequest, export_id: str) -> SuccessSchema[ExportSchema]:
    """Get the status and progress of an export."""
    return SuccessSchema(
        data=ExportSchema.from_export(get_export(get_caller(request).workspace_id, export_id))
    )


@router.get(
    "/conversation-exports/{export_id}/download",
    auth=READ,
    response={200: None},
    openapi_extra={"responses": FILE, **raises(ExportNotReady)},
)
def download_conversation_export(request: HttpRequest, export_id: str) -> StreamingHttpResponse:
    """Download the file of a completed export."""
    return export_response(get_completed_export(get_caller(request).workspace_id, export_id))


@router.delete(
    "/conversation-exports/{export_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema]
)
def delete_conversation_export(
    request: HttpRequest, export_id: str
) -> SuccessSchema[DeletedSchema]:
    """Delete an export and its file. An unfinished export is cancelled."""
    export = get_export(get_caller(request).workspace_id, export_id)
    services.delete_export(export=export, actor=caller_actor(request))
    return SuccessSchema(data=DeletedSchema(id=export_id))
