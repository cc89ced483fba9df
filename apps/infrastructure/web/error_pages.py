"""Error pages, as HTML or JSON, and the endpoint for CSP reports."""

import re
import sys

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import redirect, render
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.core import errors
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.web.middleware import get_request_id, is_api_request

log = get_logger(__name__)
_QUERY = re.compile(r"\?[^\s\"']+")
"""The query of a reported address, which may have a secret or what somebody searched for."""


@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log a browser's report of a Content-Security-Policy violation: our bug or an attack."""
    report = request.body[:2000].decode(errors="replace")
    log.warning("csp_report", report=_QUERY.sub("?***", report))
    return HttpResponse(status=204)


class ErrorPagesMiddleware(MiddlewareMixin):
    """Show a page for an ApiError that a view of a page raises, such as ServiceUnavailable."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DATABASE_UNAVAILABLE):
            log.warning("page_unavailable", reason=type(exception).__name__)
            return _error(request, errors.ServiceUnavailable())
        return _error(request, exception) if isinstance(exception, errors.ApiError) else None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: Django rejected the request before any view."""
    return _error(request, errors.ValidationFailed(message="The request is not valid."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the member's role does not allow this."""
    return _error(request, errors.Forbidden("Your role here does not allow this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without its token, from another site or from before signing in.

    Signing in changes the token, so a sign-in form in a second tab comes late: who is signed in by
    then is taken to where the form leads, and others see the form again.
    """
    match = request.resolver_match
    if match and match.view_name in settings.SIGN_IN_FORMS and reason != REASON_NO_CSRF_COOKIE:
        if request.user.is_authenticated:
            return redirect(_next_url(request) or settings.LOGIN_REDIRECT_URL)
        messages.warning(request, "This form was out of date. Fill it in again.")
        return redirect(request.get_full_path())
    message = "This form is out of date. Go back, reload the page and send it again."
    return _error(request, errors.Forbidden(message))


def _next_url(request: HttpRequest) -> str:
    """Where the form leads, if that is on this site."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        url, {request.get_host()}, require_https=request.is_secure()
    )
    return url if is_ours else ""


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no URL pattern matches."""
    return _error(request, errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """500: an exception that Django has logged; 503 if it is the database's."""
    if isinstance(sys.exc_info()[1], DATABASE_UNAVAILABLE):
        return _error(request, errors.ServiceUnavailable())
    return _error(request, errors.InternalError())


def _error(request: HttpRequest, error: errors.ApiError) -> HttpResponse:
    if is_api_request(request):
        return JsonResponse(error.body(), status=error.status, headers=error.headers())
    context = {
        "error": error,
        "request_id": get_request_id(request),
        # After a fault of ours, the page's frame might fail too.
        "is_framed": error.status < 500 and hasattr(request, "member"),
    }
    response = render(request, "core/error.html", context, status=error.status)
    for name, value in error.headers().items():
        response[name] = value
    return response
