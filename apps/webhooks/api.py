from django.http import HttpRequest
from ninja import Router, Status

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.webhooks import services
from apps.webhooks.errors import EndpointDisabled, TooManyEndpoints
from apps.webhooks.models import Delivery, DeliveryStatus, Endpoint
from apps.webhooks.queries import deliveries_for, endpoints_for, get_delivery, get_endpoint
from apps.webhooks.schemas import (
    CreateEndpointSchema,
    DeliveryDetailSchema,
    DeliveryListSchema,
    DeliverySchema,
    EndpointListSchema,
    EndpointSchema,
    EndpointWithSecretSchema,
    UpdateEndpointSchema,
)

router = Router(tags=["webhooks"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)


@router.get("/webhook-endpoints", auth=READ, response=SuccessSchema[EndpointListSchema])
def list_webhook_endpoints(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[EndpointListSchema]:
    """The workspace's webhook endpoints, newest first."""
    endpoints = endpoints_for(get_caller(request).workspace_id)
    page = paginate_newest_first(endpoints, cursor=cursor, limit=limit)
    rows = [EndpointSchema.from_endpoint(endpoint) for endpoint in page.rows]
    return SuccessSchema(
        data=EndpointListSchema(webhook_endpoints=rows, next_cursor=page.next_cursor)
    )


@router.post(
    "/webhook-endpoints",
    auth=MANAGE,
    response={201: SuccessSchema[EndpointWithSecretSchema]},
    openapi_extra=raises(TooManyEndpoints),
)
def create_webhook_endpoint(
    request: HttpRequest, body: CreateEndpointSchema
) -> Status[SuccessSchema[EndpointWithSecretSchema]]:
    """Create a webhook endpoint. Its secret is only in this response."""
    endpoint, secret = services.create_endpoint(
        workspace_id=get_caller(request).workspace_id,
        actor=caller_actor(request),
        url=body.url,
        event_types=body.event_types,
        description=body.description,
    )
    return Status(
        201, SuccessSchema(data=EndpointWithSecretSchema.from_endpoint(endpoint, secret=secret))
    )


@router.get("/webhook-endpoints/{endpoint_id}", auth=READ, response=SuccessSchema[EndpointSchema])
def get_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> SuccessSchema[EndpointSchema]:
    """A webhook endpoint, without its secret."""
    return SuccessSchema(data=EndpointSchema.from_endpoint(_get_endpoint(request, endpoint_id)))


@router.patch(
    "/webhook-endpoints/{endpoint_id}", auth=MANAGE, response=SuccessSchema[EndpointSchema]
)
def update_webhook_endpoint(
    request: HttpRequest, endpoint_id: str, body: UpdateEndpointSchema
) -> SuccessSchema[EndpointSchema]:
    """Update, enable or disable a webhook endpoint. Absent fields stay unchanged."""
    endpoint = services.update_endpoint(
        endpoint=_get_endpoint(request, endpoint_id),
        actor=caller_actor(request),
        changes=services.EndpointChanges(**body.dict()),
    )
    return SuccessSchema(data=EndpointSchema.from_endpoint(endpoint))


@router.delete(
    "/webhook-endpoints/{endpoint_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema]
)
def delete_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> SuccessSchema[DeletedSchema]:
    """Delete a webhook endpoint with its deliveries."""
    endpoint = _get_endpoint(request, endpoint_id)
    services.delete_endpoint(endpoint=endpoint, actor=caller_actor(request))
    return SuccessSchema(data=DeletedSchema(id=endpoint_id))


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    auth=MANAGE,
    response=SuccessSchema[EndpointWithSecretSchema],
)
def rotate_webhook_secret(
    request: HttpRequest, endpoint_id: str
) -> SuccessSchema[EndpointWithSecretSchema]:
    """Create a new secret, only in this response. The old one still signs for 24 hours."""
    endpoint, secret = services.rotate_secret(
        endpoint=_get_endpoint(request, endpoint_id), actor=caller_actor(request)
    )
    return SuccessSchema(data=EndpointWithSecretSchema.from_endpoint(endpoint, secret=secret))


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    auth=MANAGE,
    response={202: SuccessSchema[DeliverySchema]},
    openapi_extra=raises(EndpointDisabled),
)
def test_webhook_endpoint(
    request: HttpRequest, endpoint_id: str
) -> Status[SuccessSchema[DeliverySchema]]:
    """Send the endpoint an event of type `webhook.test`. Read the delivery for the result."""
    delivery = services.send_test(endpoint=_get_endpoint(request, endpoint_id))
    return Status(202, SuccessSchema(data=DeliverySchema.of(delivery)))


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    auth=READ,
    response=SuccessSchema[DeliveryListSchema],
)
def list_webhook_deliveries(
    request: HttpRequest,
    endpoint_id: str,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
    status: DeliveryStatus | None = None,
) -> SuccessSchema[DeliveryListSchema]:
    """An endpoint's deliveries of the last 30 days, newest first. `status` filters them."""
    deliveries = deliveries_for(_get_endpoint(request, endpoint_id))
    if status is not None:
        deliveries = deliveries.filter(status=status)
    page = paginate_newest_first(deliveries, cursor=cursor, limit=limit)
    rows = [DeliverySchema.of(delivery) for delivery in page.rows]
    return SuccessSchema(data=DeliveryListSchema(deliveries=rows, next_cursor=page.next_cursor))


@router.get(
    "/webhook-deliveries/{delivery_id}", auth=READ, response=SuccessSchema[DeliveryDetailSchema]
)
def get_webhook_delivery(
    request: HttpRequest, delivery_id: str
) -> SuccessSchema[DeliveryDetailSchema]:
    """A delivery with the request and the response of its last attempt."""
    return SuccessSchema(data=DeliveryDetailSchema.of(_get_delivery(request, delivery_id)))


@router.post(
    "/webhook-deliveries/{delivery_id}/resend",
    auth=MANAGE,
    response={202: SuccessSchema[DeliverySchema]},
    openapi_extra=raises(EndpointDisabled),
)
def resend_webhook_delivery(
    request: HttpRequest, delivery_id: str
) -> Status[SuccessSchema[DeliverySchema]]:
    """Send an event again now, under the same id, with all the attempts of a new delivery."""
    delivery = services.resend(delivery=_get_delivery(request, delivery_id))
    return Status(202, SuccessSchema(data=DeliverySchema.of(delivery)))


def _get_endpoint(request: HttpRequest, endpoint_id: str) -> Endpoint:
    return get_endpoint(get_caller(request).workspace_id, endpoint_id)


def _get_delivery(request: HttpRequest, delivery_id: str) -> Delivery:
    return get_delivery(get_caller(request).workspace_id, delivery_id)
