"""Make changes of a source's columns from the fields of a request."""

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from apps.core.errors import ValidationFailed
from apps.knowledge.models import Source, SourceType
from apps.knowledge.schemas.sources import UpdateSourceSchema
from apps.knowledge.services.web import valid_rules, valid_url

RULES = ("max_pages", "max_depth", "include", "exclude")
_WEB_FIELDS = {"title", "url", "refresh_every"}
_FIELDS = {
    SourceType.FILE: {"title"},
    SourceType.TEXT: {"title", "text"},
    SourceType.QNA: {"title", "questions", "answer"},
    SourceType.PAGE: _WEB_FIELDS,
    SourceType.SITEMAP: {*_WEB_FIELDS, "max_pages", "include", "exclude"},
    SourceType.CRAWL: {*_WEB_FIELDS, *RULES},
}


def columns_to_change(source: Source, body: UpdateSourceSchema) -> dict[str, Any]:
    """The columns with their new values. Raises ValidationFailed, ValidationError."""
    given = body.model_dump(exclude_unset=True)
    source_type = SourceType(source.type)
    unknown = given.keys() - _FIELDS[source_type]
    if unknown:
        message = f"A source of the type {source_type.value} has no such field."
        raise ValidationFailed({to_camel(name): [message] for name in sorted(unknown)})
    columns = {name: given[name] for name in given if name not in (*RULES, "answer", "url")}
    if "answer" in given:
        columns["text"] = given["answer"]
    if "url" in given:
        columns["url"] = valid_url(given["url"])
    if given.keys() & set(RULES):
        columns["rules"] = valid_rules(source_type, without_null({**source.rules, **given}))
    return columns


def without_null(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The rules among these fields, without those that are as usual."""
    return {name: fields[name] for name in RULES if fields.get(name) is not None}
