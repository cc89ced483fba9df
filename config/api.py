"""The REST API beside the chat endpoint: django-ninja's one instance.

Each app brings its own router; what they share is here: who may call, and one error shape.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from apps.conversations.api import router as conversations
from apps.core.drf import as_api_error
from apps.core.errors import ApiError, InternalError, ValidationFailed
from apps.core.logging import get_logger
from apps.credits.api import router as credits
from apps.webhooks.api import router as webhooks

log = get_logger(__name__)

api = NinjaAPI(title="Parley", version="1", docs_url=None, openapi_url=None, urls_namespace="api")
api.add_router("", credits)
api.add_router("", conversations)
api.add_router("", webhooks)


@api.exception_handler(Exception)
def any_error(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Any exception of an operation as a response in the one error shape."""
    match exception:
        case ValidationError():
            error: ApiError = ValidationFailed(_details(exception))
        case HttpError():
            error = ValidationFailed(sentence="The body is not valid JSON.")
        case _:
            error = as_api_error(exception)
    if isinstance(error, InternalError) or error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    return JsonResponse(error.body(), status=error.status, headers=error.headers())


def _details(invalid: ValidationError) -> dict[str, list[str]]:
    details: dict[str, list[str]] = {}
    for problem in invalid.errors:
        # The location begins with where the value was looked for: query, path or body; a body's
        # is followed by the name that our function has for it.
        where, *parts = problem["loc"]
        name = ".".join(str(part) for part in parts[where == "body" :]) or "body"
        details.setdefault(name, []).append(f"{problem['msg']}.")
    return details


api.exception_handler(ValidationError)(any_error)
api.exception_handler(HttpError)(any_error)
