"""Return every error of the API as `{"success": false, "error": …, "code": …}`."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from pydantic.alias_generators import to_camel
from rest_framework import exceptions
from rest_framework.response import Response

from apps.core import errors
from apps.core.errors import MethodNotAllowed
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.web.middleware import is_api_request, response_middleware

log = get_logger(__name__)


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: any exception of a view as an error response."""
    error = as_api_error(exception)
    if error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    headers = {**getattr(context["request"], "answer_headers", {}), **error.headers()}
    return Response(error.body(), status=error.status, headers=headers)


def as_api_error(exception: Exception) -> errors.ApiError:
    """The ApiError that the caller gets for an exception; InternalError for an unexpected one."""
    match exception:
        case errors.ApiError():
            return exception
        case exceptions.ParseError():
            return errors.ValidationFailed(message="The body is not valid JSON.")
        case ValidationError():
            return errors.ValidationFailed(_model_error_details(exception))
        case exceptions.ValidationError():
            return errors.ValidationFailed(flatten_details(exception.detail))
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case exceptions.NotFound():
            return errors.NotFound()
        case _ if isinstance(exception, DATABASE_UNAVAILABLE):
            return errors.ServiceUnavailable()
        case _:
            return errors.InternalError()


def _model_error_details(error: ValidationError) -> dict[str, list[str]]:
    """Django's validation errors by field, in the API's camelCase."""
    if not hasattr(error, "error_dict"):
        return {"body": error.messages}
    return {
        "body" if name == NON_FIELD_ERRORS else to_camel(name): messages
        for name, messages in error.message_dict.items()
    }


def flatten_details(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested error detail as a flat dict: `metadata.source` → messages."""
    if isinstance(detail, Mapping):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            flat |= flatten_details(inner, f"{prefix}.{name}" if prefix else str(name))
        return flat
    messages = detail if isinstance(detail, list) else [detail]
    return {prefix or "body": [str(message) for message in messages]}


@response_middleware
def format_method_not_allowed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give the API's 405 responses, which routers make, its error format."""
    if not (is_api_request(request) and isinstance(response, HttpResponseNotAllowed)):
        return response
    error = MethodNotAllowed(sorted(response["Allow"].split(", ")))
    return JsonResponse(error.body(), status=error.status, headers=error.headers())
