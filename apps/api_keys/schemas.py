"""Request and response schemas of API keys."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from apps.api_keys.models import DEFAULT_REQUESTS_PER_HOUR, MAX_REQUESTS_PER_HOUR
from apps.api_kit.schemas import (
    ACCEPT_WHOLE_FLOAT,
    RequestSchema,
    ResponseSchema,
    UtcDateTime,
    single_line_field,
)
from apps.core.text import single_line

MAX_GRACE_SECONDS = 7 * 24 * 3600
DAY_SECONDS = 24 * 3600

ScopeName = Literal["chat", "read", "manage"]


class CreateApiKeySchema(RequestSchema):
    """An API key to create."""

    name: Annotated[str, AfterValidator(single_line(120)), single_line_field(120)]
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=3)]
    rate_limit_per_hour: Annotated[
        int, Field(ge=1, le=MAX_REQUESTS_PER_HOUR), ACCEPT_WHOLE_FLOAT
    ] = DEFAULT_REQUESTS_PER_HOUR
    expires_at: UtcDateTime | None = None


class RotateApiKeySchema(RequestSchema):
    """How to rotate a key. `graceSeconds`: how long the old key keeps working."""

    grace_seconds: Annotated[int, Field(ge=0, le=MAX_GRACE_SECONDS), ACCEPT_WHOLE_FLOAT] = (
        DAY_SECONDS
    )


class ApiKeySchema(ResponseSchema):
    """An API key. `shown` is the beginning and the last four characters of its secret."""

    id: str
    name: str
    shown: str
    scopes: list[ScopeName]
    rate_limit_per_hour: int
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class ApiKeyWithSecretSchema(ApiKeySchema):
    """`secret` is the key itself, in this response only."""

    secret: str


class ApiKeyListSchema(ResponseSchema):
    api_keys: list[ApiKeySchema]
    next_cursor: str | None
