"""Request and response schemas of webhook endpoints and deliveries."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from apps.api_kit.schemas import RequestSchema, ResponseSchema
from apps.core.text import LEGIBLE_PATTERN, require_legible, require_storable
from apps.webhooks.models import Delivery, DeliveryStatus, DisabledReason, Endpoint, EventType
from apps.webhooks.signing import build_body

_URL = {"format": "webhook-url", "minLength": 8, "examples": ["https://hooks.example.com/parley"]}
Url = Annotated[str, Field(max_length=2000, json_schema_extra=_URL)]
Description = Annotated[
    str,
    Field(max_length=200, json_schema_extra={"pattern": LEGIBLE_PATTERN}),
    AfterValidator(require_storable),
    AfterValidator(require_legible),
]
SubscribableEventType = Literal[
    "lead.created",
    "lead.updated",
    "conversation.started",
    "message.completed",
    "turn.failed",
    "credits.low",
    "credits.exhausted",
    "api_key.created",
    "api_key.revoked",
    "source.ready",
    "source.failed",
]
EventTypes = Annotated[list[SubscribableEventType], Field(min_length=1, max_length=50)]


class CreateEndpointSchema(RequestSchema):
    url: Url
    event_types: EventTypes
    description: Description = ""


class UpdateEndpointSchema(RequestSchema):
    """Absent and null fields stay unchanged."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Description | None = None
    enabled: bool | None = None


class EndpointSchema(ResponseSchema):
    id: str
    url: str
    description: str
    event_types: list[str]
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    failing_since: datetime | None
    previous_secret_expires_at: datetime | None
    created_at: datetime

    @classmethod
    def from_endpoint(cls, endpoint: Endpoint, **more: str) -> Self:
        return cls.from_row(
            endpoint,
            enabled=endpoint.is_enabled,
            disabled_reason=endpoint.disabled_reason or None,
            **more,
        )


class EndpointWithSecretSchema(EndpointSchema):
    """`secret` is in this response only."""

    secret: str


class EndpointListSchema(ResponseSchema):
    webhook_endpoints: list[EndpointSchema]
    next_cursor: str | None


class DeliverySchema(ResponseSchema):
    id: str
    endpoint_id: str
    event_id: str
    event_type: EventType
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    duration_ms: int | None
    response_status: int | None
    error: str | None
    created_at: datetime

    @classmethod
    def of(cls, delivery: Delivery, **more: Any) -> Self:
        return cls.from_row(
            delivery, event_type=delivery.event.type, error=delivery.error or None, **more
        )


class DeliveryListSchema(ResponseSchema):
    deliveries: list[DeliverySchema]
    next_cursor: str | None


class SentRequestSchema(ResponseSchema):
    """The request. Its headers are those of the last attempt, and empty before the first."""

    headers: dict[str, str]
    body: str


class ReceivedResponseSchema(ResponseSchema):
    """The response to the last attempt, with the first 4 KiB of its body."""

    status: int
    body: str


class DeliveryDetailSchema(DeliverySchema):
    request: SentRequestSchema
    response: ReceivedResponseSchema | None

    @classmethod
    def of(cls, delivery: Delivery, **more: Any) -> Self:
        response = None
        if delivery.response_status is not None:
            response = ReceivedResponseSchema(
                status=delivery.response_status, body=delivery.response_body
            )
        body = build_body(delivery.event).decode()
        request = SentRequestSchema(headers=delivery.request_headers, body=body)
        return super().of(delivery, request=request, response=response, **more)
