"""Response schemas of the usage endpoint."""

from typing import Annotated, Self

from pydantic import Field

from apps.api_kit.schemas import ResponseSchema
from apps.reporting.usage.queries import GroupBy, Usage, UsageFigures, UsageGroup


class UsageFiguresSchema(ResponseSchema):
    """Turns that opened in the period, the credits charged for them and their tokens."""

    turns: int
    credits: int
    input_tokens: int
    output_tokens: int

    @classmethod
    def from_figures(cls, figures: UsageFigures, **fields: str | None) -> Self:
        return cls(
            turns=figures.turns,
            credits=figures.credits,
            input_tokens=figures.input_tokens,
            output_tokens=figures.output_tokens,
            **fields,
        )


class UsageGroupSchema(UsageFiguresSchema):
    """`group` is a date, a chatbot id, an API key id or a model name; null without an API key or if
    the key is deleted. `name` is the name of the chatbot or the API key."""

    group: str | None
    name: str | None

    @classmethod
    def from_group(cls, group: UsageGroup) -> Self:
        return cls.from_figures(group.figures, group=group.group, name=group.name)


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
            total=UsageFiguresSchema.from_figures(usage.total),
            usage=[UsageGroupSchema.from_group(group) for group in usage.groups],
        )
