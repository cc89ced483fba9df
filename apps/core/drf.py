"""How Django REST framework speaks: strict fields, and every error in the one shape."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import psycopg
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import InterfaceError, OperationalError
from pydantic.alias_generators import to_camel
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from apps.core import errors
from apps.core.logging import get_logger

log = get_logger(__name__)

DATABASE_AWAY = (
    *(OperationalError, InterfaceError),
    *(psycopg.OperationalError, psycopg.InterfaceError),  # from `core.database`
)
"""PoolTimeout is one of them."""


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Any exception of a view as a response in the one error shape."""
    error = as_api_error(exception)
    if error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    headers = {**getattr(context["request"], "answer_headers", {}), **error.headers()}
    return Response(error.body(), status=error.status, headers=headers)


def as_api_error(exception: Exception) -> errors.ApiError:
    """The error to tell a caller of. What we did not foresee is an INTERNAL_ERROR."""
    match exception:
        case errors.ApiError():
            return exception
        case exceptions.ParseError():
            return errors.ValidationFailed(sentence="The body is not valid JSON.")
        case ValidationError():
            return errors.ValidationFailed(_model_details(exception))
        case exceptions.ValidationError():
            return errors.ValidationFailed(field_details(exception.detail))
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case exceptions.NotFound():
            return errors.NotFound()
        case _ if isinstance(exception, DATABASE_AWAY):
            return errors.ServiceUnavailable()
        case _:
            return errors.InternalError()


def _model_details(refused: ValidationError) -> dict[str, list[str]]:
    """What a model or a service refuses, under the names that callers know."""
    if not hasattr(refused, "error_dict"):
        return {"body": refused.messages}
    return {
        "body" if name == NON_FIELD_ERRORS else to_camel(name): sentences
        for name, sentences in refused.message_dict.items()
    }


def field_details(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested error detail as one flat object: `metadata.source` → sentences."""
    if isinstance(detail, Mapping):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            flat |= field_details(inner, f"{prefix}.{name}" if prefix else str(name))
        return flat
    sentences = detail if isinstance(detail, list) else [detail]
    return {prefix or "body": [str(sentence) for sentence in sentences]}


class StrictCharField(serializers.CharField):
    """Text, and nothing that could be made into text."""

    default_error_messages = {"invalid": "This must be a string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StrictBooleanField(serializers.BooleanField):
    """True or false, and nothing that could be read as either."""

    default_error_messages = {"invalid": "This must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


def _showable(name: object) -> str:
    """The beginning of a field's name, with nothing in it that could not be sent back."""
    return str(name)[:64].encode("utf-8", "replace").decode()


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, so that a typing mistake is not passed over."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"body": ["Send a JSON object."]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        names = list(data) if isinstance(data, Mapping) else []
        problems: dict[str, Any] = {
            _showable(name): ["This field is not known here."]
            for name in names
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            problems |= error.detail
        if problems:
            raise serializers.ValidationError(dict(list(problems.items())[:20]))
        return value


def valid(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """What the serializer makes of the data. Raises DRF's ValidationError.

    A serializer copies each of its fields when it is made, which takes longer than to check a
    body with it; one of each kind is made, and asked of all data.
    """
    return dict(_made(serializer).run_validation(data))


@functools.cache
def _made(serializer: type[StrictSerializer]) -> StrictSerializer:
    return serializer()
