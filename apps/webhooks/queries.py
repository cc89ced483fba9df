"""Read webhook endpoints and deliveries of a workspace."""

from django.db.models import QuerySet

from apps.core.ids import is_id
from apps.infrastructure.postgres.rows import first_or_raise
from apps.webhooks.errors import DeliveryNotFound, EndpointNotFound
from apps.webhooks.models import Delivery, Endpoint


def endpoints_for(workspace_id: str) -> QuerySet[Endpoint]:
    """The workspace's endpoints."""
    return Endpoint.objects.filter(workspace_id=workspace_id)


def get_endpoint(workspace_id: str, endpoint_id: str) -> Endpoint:
    """An endpoint of the workspace. Raises EndpointNotFound."""
    if not is_id(endpoint_id):
        raise EndpointNotFound
    return first_or_raise(endpoints_for(workspace_id).filter(id=endpoint_id), EndpointNotFound)


def deliveries_for(endpoint: Endpoint) -> QuerySet[Delivery]:
    """An endpoint's deliveries, with their events."""
    return Delivery.objects.filter(
        workspace_id=endpoint.workspace_id, endpoint=endpoint
    ).select_related("event")


def get_delivery(workspace_id: str, delivery_id: str) -> Delivery:
    """A delivery of the workspace, with its event and endpoint. Raises DeliveryNotFound."""
    if not is_id(delivery_id):
        raise DeliveryNotFound
    deliveries = Delivery.objects.filter(workspace_id=workspace_id, id=delivery_id)
    return first_or_raise(deliveries.select_related("event", "endpoint"), DeliveryNotFound)
