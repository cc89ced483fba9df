from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Status

from apps.api_keys.authentication import ApiKeyAuth, actor_in, caller_in
from apps.api_keys.models import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.webhooks import services
from apps.webhooks.errors import EndpointDisabled, TooManyEndpoints
from apps.webhooks.models import Delivery, DeliveryStatus, Endpoint
from apps.webhooks.queries import deliveries_of, delivery_with, endpoint_with, endpoints_of
from apps.webhooks.schemas import (
    DeliveryOut,
    DeliveryPage,
    DeliveryWhole,
    EndpointChanges,
    EndpointIn,
    EndpointOut,
    EndpointPage,
    EndpointWithSecret,
)

router = Router(tags=["webhooks"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)


@router.get("/webhook-endpoints", auth=READ, response=SuccessSchema[EndpointPage])
def list_webhook_endpoints(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[EndpointPage]:
    """The workspace's webhook endpoints, newest first."""
    endpoints = endpoints_of(caller_in(request).workspace_id)
    page = paginate_newest_first(endpoints, cursor=cursor, limit=limit)
    rows = [EndpointOut.of(endpoint) for endpoint in page.rows]
    return SuccessSchema(data=EndpointPage(webhook_endpoints=rows, next_cursor=page.next_cursor))


@router.post(
    "/webhook-endpoints",
    auth=MANAGE,
    response={201: SuccessSchema[EndpointWithSecret]},
    openapi_extra=raises(TooManyEndpoints),
)
def create_webhook_endpoint(
    request: HttpRequest, body: EndpointIn
) -> Status[SuccessSchema[EndpointWithSecret]]:
    """A new webhook endpoint. Its secret is in this answer and nowhere else."""
    endpoint, secret = services.create_endpoint(
        workspace_id=caller_in(request).workspace_id,
        actor=actor_in(request),
        url=body.url,
        event_types=body.event_types,
        description=body.description,
    )
    return Status(201, SuccessSchema(data=EndpointWithSecret.of(endpoint, secret=secret)))


@router.get("/webhook-endpoints/{endpoint_id}", auth=READ, response=SuccessSchema[EndpointOut])
def get_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> SuccessSchema[EndpointOut]:
    """A webhook endpoint, without its secret."""
    return SuccessSchema(data=EndpointOut.of(_endpoint(request, endpoint_id)))


@router.patch("/webhook-endpoints/{endpoint_id}", auth=MANAGE, response=SuccessSchema[EndpointOut])
def update_webhook_endpoint(
    request: HttpRequest, endpoint_id: str, body: EndpointChanges
) -> SuccessSchema[EndpointOut]:
    """Change a webhook endpoint, or switch it on or off. Absent fields stay as they are."""
    endpoint = services.update_endpoint(
        endpoint=_endpoint(request, endpoint_id),
        actor=actor_in(request),
        changes=services.Changes(**body.dict()),
    )
    return SuccessSchema(data=EndpointOut.of(endpoint))


@router.delete(
    "/webhook-endpoints/{endpoint_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema]
)
def delete_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> SuccessSchema[DeletedSchema]:
    """Delete a webhook endpoint with its deliveries."""
    endpoint = _endpoint(request, endpoint_id)
    services.delete_endpoint(endpoint=endpoint, actor=actor_in(request))
    return SuccessSchema(data=DeletedSchema(id=endpoint_id))


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    auth=MANAGE,
    response=SuccessSchema[EndpointWithSecret],
)
def rotate_webhook_secret(
    request: HttpRequest, endpoint_id: str
) -> SuccessSchema[EndpointWithSecret]:
    """A new secret, in this answer and nowhere else. The old one signs beside it for 24 hours."""
    endpoint, secret = services.rotate_secret(
        endpoint=_endpoint(request, endpoint_id), actor=actor_in(request)
    )
    return SuccessSchema(data=EndpointWithSecret.of(endpoint, secret=secret))


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    auth=MANAGE,
    response={202: SuccessSchema[DeliveryOut]},
    openapi_extra=raises(EndpointDisabled),
)
def test_webhook_endpoint(
    request: HttpRequest, endpoint_id: str
) -> Status[SuccessSchema[DeliveryOut]]:
    """Send the endpoint an event of the type `webhook.test`. Read the delivery for what came."""
    delivery = services.send_test(endpoint=_endpoint(request, endpoint_id))
    return Status(202, SuccessSchema(data=DeliveryOut.of(delivery)))


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries", auth=READ, response=SuccessSchema[DeliveryPage]
)
def list_webhook_deliveries(
    request: HttpRequest,
    endpoint_id: str,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
    status: DeliveryStatus | None = None,
) -> SuccessSchema[DeliveryPage]:
    """An endpoint's deliveries of the last 30 days, newest first, perhaps of one status alone."""
    deliveries = deliveries_of(_endpoint(request, endpoint_id))
    if status is not None:
        deliveries = deliveries.filter(status=status)
    page = paginate_newest_first(deliveries, cursor=cursor, limit=limit)
    rows = [DeliveryOut.of(delivery) for delivery in page.rows]
    return SuccessSchema(data=DeliveryPage(deliveries=rows, next_cursor=page.next_cursor))


@router.get("/webhook-deliveries/{delivery_id}", auth=READ, response=SuccessSchema[DeliveryWhole])
def get_webhook_delivery(request: HttpRequest, delivery_id: str) -> SuccessSchema[DeliveryWhole]:
    """A delivery with what was sent and what came back at the last attempt."""
    return SuccessSchema(data=DeliveryWhole.of(_delivery(request, delivery_id)))


@router.post(
    "/webhook-deliveries/{delivery_id}/resend",
    auth=MANAGE,
    response={202: SuccessSchema[DeliveryOut]},
    openapi_extra=raises(EndpointDisabled),
)
def resend_webhook_delivery(
    request: HttpRequest, delivery_id: str
) -> Status[SuccessSchema[DeliveryOut]]:
    """Send an event once more, now, under the same id, with all the attempts of a new one."""
    delivery = services.resend(delivery=_delivery(request, delivery_id))
    return Status(202, SuccessSchema(data=DeliveryOut.of(delivery)))


def _endpoint(request: HttpRequest, endpoint_id: str) -> Endpoint:
    return endpoint_with(caller_in(request).workspace_id, endpoint_id)


def _delivery(request: HttpRequest, delivery_id: str) -> Delivery:
    return delivery_with(caller_in(request).workspace_id, delivery_id)
