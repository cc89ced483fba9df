"""The body of a new source: JSON, or a form with a file."""

from typing import Annotated, Any, Self

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.params.models import Body, BodyModel

from apps.api_kit.forms import FORM_TYPE, is_form, parse_form
from apps.core.text import SINGLE_LINE_PATTERN
from apps.knowledge.schemas.sources import CreateSource, FileSourceSchema

FORM_CONTENT: dict[str, Any] = {
    FORM_TYPE: {
        "schema": {
            "type": "object",
            "title": "FileSource",
            "description": "A file of at most 20 MiB. `title`: by default its name.",
            "properties": {
                "type": {"type": "string", "const": "file"},
                "file": {"type": "string", "format": "binary", "minLength": 1},
                "title": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 300,
                    "pattern": SINGLE_LINE_PATTERN,
                },
            },
            "required": ["file"],
            "additionalProperties": False,
        }
    }
}
"""The form in the OpenAPI document: ninja describes the JSON body alone."""


class _SourceBodyModel(BodyModel):
    """ninja reads one kind of body an operation; here a form takes the place of the JSON body."""

    @classmethod
    def resolve(cls, request: HttpRequest, api: NinjaAPI, path_params: dict[str, Any]) -> Self:
        if not is_form(request):
            return super().resolve(request, api, path_params)
        return cls.model_construct(body=parse_form(request, FileSourceSchema))


class _SourceBody(Body):  # type: ignore[misc]
    _model = _SourceBodyModel

    @classmethod
    def _param_source(cls) -> str:
        return "body"


SourceBody = Annotated[CreateSource, _SourceBody(...)]
"""Of a parameter named `body`, which is then a FileSourceSchema if a form was sent."""
