"""Health, and the answers of last resort."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.core import errors
from apps.infrastructure.logging import get_logger
from apps.infrastructure.web.middleware import get_request_id, is_api_request

log = get_logger(__name__)


@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """A browser tells that a page broke the Content-Security-Policy. It is ours or an attack's."""
    log.warning("csp_report", report=request.body[:2000].decode(errors="replace"))
    return HttpResponse(status=204)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 outside every view."""
    return _error(request, errors.ValidationFailed(message="The request is not valid."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the person's role does not allow this."""
    return _error(request, errors.Forbidden("Your role here does not allow this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form came without its token, from another site or from before one signed in."""
    sentence = "This form is out of date. Go back, reload the page and send it again."
    return _error(request, errors.Forbidden(sentence))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 for an address that nothing serves."""
    return _error(request, errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """500 that no view caught. Django has logged the traceback."""
    return _error(request, errors.InternalError())


def _error(request: HttpRequest, error: errors.ApiError) -> HttpResponse:
    if is_api_request(request):
        return JsonResponse(error.body(), status=error.status, headers=error.headers())
    context = {
        "error": error,
        "request_id": get_request_id(request),
        # What failed on our side may be what the frame is made of.
        "is_framed": error.status < 500 and hasattr(request, "member"),
    }
    return render(request, "core/error.html", context, status=error.status)
