"""The shapes of usage on the wire."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from apps.api_kit.schemas import ResponseSchema
from apps.reporting.usage.queries import GroupBy, Usage, UsageFigures, UsageGroup


class UsageFiguresSchema(ResponseSchema):
    """Turns that began in the time, the credits that they were charged, their models' tokens."""

    turns: int
    credits: int
    input_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, figures: UsageFigures, **more: str | None) -> Self:
        return cls(
            turns=figures.turns,
            credits=figures.credits,
            input_tokens=figures.input_tokens,
            output_tokens=figures.output_tokens,
            **more,
        )


class UsageGroupSchema(UsageFiguresSchema):
    """`group` is a day, a chatbot's or API key's id, or a language model's name; null where there
    was no key, or it is deleted. `name` is that of the chatbot or the key."""

    group: str | None
    name: str | None

    @classmethod
    def from_group(cls, used: UsageGroup) -> Self:
        return cls.of(used.figures, group=used.group, name=used.name)


class UsageSchema(ResponseSchema):
    """Both days are whole, in UTC and included."""

    since: Annotated[str, Field(json_schema_extra={"format": "date"})]
    until: Annotated[str, Field(json_schema_extra={"format": "date"})]
    group_by: GroupBy
    total: UsageFiguresSchema
    usage: list[UsageGroupSchema]

    @classmethod
    def of(cls, usage: Usage, by: GroupBy) -> Self:
        return cls(
            since=usage.since.isoformat(),
            until=usage.until.isoformat(),
            group_by=by,
            total=UsageFiguresSchema.of(usage.total),
            usage=[UsageGroupSchema.from_group(used) for used in usage.groups],
        )
