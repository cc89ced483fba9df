"""The REST API apart from chat: the NinjaAPI instance with the routers of all apps.

Here are the parts that all operations share: `wrap_operation` and the error format.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation

from apps.api_keys.api import router as api_keys
from apps.api_kit.authentication import Replay
from apps.api_kit.error_format import as_api_error
from apps.api_kit.operations import log_refused_operation, wrap_operation
from apps.api_kit.parsers import NinjaJsonParser
from apps.api_kit.schemas import error_details
from apps.chatbots.api import catalogue as language_models
from apps.chatbots.api import router as chatbots
from apps.conversations.api import router as conversations
from apps.conversations.exports.api import router as exports
from apps.core.errors import ApiError, InternalError, ValidationFailed
from apps.credits.api import router as credits
from apps.infrastructure.logging import get_logger
from apps.knowledge.api import routers as knowledge
from apps.leads.api import router as leads
from apps.reporting.usage.api import router as usage
from apps.webhooks.api import router as webhooks

log = get_logger(__name__)


class ParleyAPI(NinjaAPI):
    """Uses each view function's name as its operationId."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = ParleyAPI(
    title="Parley",
    version="1",
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
    parser=NinjaJsonParser(),
)
api.add_decorator(wrap_operation, mode="view")
for router in (
    *(api_keys, chatbots, language_models, credits, usage),
    *knowledge,
    *(conversations, exports, leads, webhooks),
):
    api.add_router("", router)


@api.exception_handler(Exception)
def handle_exception(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Any exception of an operation as an error response, or as a stored response (Replay)."""
    match exception:
        case Replay():
            return HttpResponse(
                exception.body,
                content_type="application/json; charset=utf-8",
                status=exception.status,
                headers={"Idempotent-Replayed": "true"},
            )
        case ValidationError():
            error: ApiError = ValidationFailed(_validation_details(exception))
        case HttpError():  # of the parser
            cause = exception.__cause__
            error = cause if isinstance(cause, ValidationFailed) else ValidationFailed()
        case _:
            error = as_api_error(exception)
    if isinstance(error, InternalError) or error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    log_refused_operation(request, error)
    return JsonResponse(error.body(), status=error.status, headers=error.headers())


def _validation_details(invalid: ValidationError) -> dict[str, list[str]]:
    # A location begins with body, query or path. For bodies and filters it continues with the
    # name of the view's parameter. Neither concerns the caller.
    details: dict[str, list[str]] = {}
    for problem in invalid.errors:
        source, *parts = problem["loc"]
        skip = 2 if source == "body" or parts[:1] == ["filters"] else 1
        for name, messages in error_details([problem], skip=skip).items():
            details.setdefault(name, []).extend(messages)
    return details


api.exception_handler(ValidationError)(handle_exception)
api.exception_handler(HttpError)(handle_exception)
