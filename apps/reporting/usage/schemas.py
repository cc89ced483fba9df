"""Response schemas of the usage endpoint."""

from typing import Annotated, Self

from pydantic import Field

from apps.api_kit.schemas import ResponseSchema
from apps.reporting.usage.queries import GroupBy, Usage


class UsageFiguresSchema(ResponseSchema):
    """Turns that opened in the period, the credits charged for them and their tokens."""

    turns: int
    credits: int
    input_tokens: int
    output_tokens: int


class UsageGroupSchema(UsageFiguresSchema):
    """`group` is a date, a chatbot id, an API key id or a model name; null without an API key or if
    the key is deleted. `name` is the name of the chatbot or the API key."""

    group: str | None
    name: str | None


class UsageSchema(ResponseSchema):
    """Usage of whole UTC days, from `since` to `until` inclusive."""

    since: Annotated[str, Field(json_schema_extra={"format": "date"})]
    until: Annotated[str, Field(json_schema_extra={"format": "date"})]
    group_by: GroupBy
    total: UsageFiguresSchema
    usage: list[UsageGroupSchema]

    @classmethod
    def from_usage(cls, usage: Usage, by: GroupBy) -> Self:
        return cls(
            since=usage.since.isoformat(),
            until=usage.until.isoformat(),
            group_by=by,
            total=UsageFiguresSchema.from_row(usage.total),
            usage=[
                UsageGroupSchema.from_row(each.figures, group=each.group, name=each.name)
                for each in usage.groups
            ],
        )
