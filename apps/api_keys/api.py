"""REST operations for API keys. All require the scope `manage`; a key gives only its own scopes."""

from datetime import timedelta

from django.http import HttpRequest
from ninja import Router, Status

from apps.api_keys import queries, services
from apps.api_keys.errors import ApiKeyEnded
from apps.api_keys.models import ApiKey
from apps.api_keys.schemas import (
    ApiKeyListSchema,
    ApiKeySchema,
    ApiKeyWithSecretSchema,
    CreateApiKeySchema,
    RotateApiKeySchema,
)
from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Workspace

router = Router(tags=["API keys"], by_alias=True)

MANAGE = ApiKeyAuth(Scope.MANAGE)


@router.get("/api-keys", auth=MANAGE, response=SuccessSchema[ApiKeyListSchema])
def list_api_keys(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[ApiKeyListSchema]:
    """The workspace's API keys, newest first. Includes revoked and expired keys."""
    page = paginate_newest_first(
        queries.api_keys_for(get_caller(request).workspace_id), cursor=cursor, limit=limit
    )
    rows = [ApiKeySchema.from_row(key) for key in page.rows]
    return SuccessSchema(data=ApiKeyListSchema(api_keys=rows, next_cursor=page.next_cursor))


@router.post(
    "/api-keys",
    auth=MANAGE,
    response={201: SuccessSchema[ApiKeyWithSecretSchema]},
    openapi_extra=raises(LimitReached),
)
def create_api_key(
    request: HttpRequest, body: CreateApiKeySchema
) -> Status[SuccessSchema[ApiKeyWithSecretSchema]]:
    """Create an API key. Its secret is only in this response."""
    caller = get_caller(request)
    caller.require_all(body.scopes)
    key, secret = services.issue_key(
        workspace=Workspace.objects.get(id=caller.workspace_id),
        actor=caller_actor(request),
        **body.model_dump(),
    )
    return Status(201, SuccessSchema(data=ApiKeyWithSecretSchema.from_row(key, secret=secret)))


@router.get("/api-keys/{api_key_id}", auth=MANAGE, response=SuccessSchema[ApiKeySchema])
def get_api_key(request: HttpRequest, api_key_id: str) -> SuccessSchema[ApiKeySchema]:
    """One API key, without its secret."""
    return SuccessSchema(data=ApiKeySchema.from_row(_get_key(request, api_key_id)))


@router.post(
    "/api-keys/{api_key_id}/rotate",
    auth=MANAGE,
    response={201: SuccessSchema[ApiKeyWithSecretSchema]},
    openapi_extra=raises(ApiKeyEnded, LimitReached),
)
def rotate_api_key(
    request: HttpRequest, api_key_id: str, body: RotateApiKeySchema
) -> Status[SuccessSchema[ApiKeyWithSecretSchema]]:
    """Create a replacement for this key, which keeps working for `graceSeconds`."""
    key = _get_key(request, api_key_id)
    get_caller(request).require_all(key.scopes)
    grace = timedelta(seconds=body.grace_seconds)
    new, secret = services.rotate_key(key=key, grace=grace, actor=caller_actor(request))
    return Status(201, SuccessSchema(data=ApiKeyWithSecretSchema.from_row(new, secret=secret)))


@router.post("/api-keys/{api_key_id}/revoke", auth=MANAGE, response=SuccessSchema[ApiKeySchema])
def revoke_api_key(request: HttpRequest, api_key_id: str) -> SuccessSchema[ApiKeySchema]:
    """Revoke a key immediately, including the caller's own. Revoking it again changes nothing."""
    key = services.revoke_key(key=_get_key(request, api_key_id), actor=caller_actor(request))
    return SuccessSchema(data=ApiKeySchema.from_row(key))


def _get_key(request: HttpRequest, api_key_id: str) -> ApiKey:
    return queries.get_api_key(get_caller(request).workspace_id, api_key_id)
