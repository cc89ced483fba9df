"""Refuse control characters in addresses: no id has one, and PostgreSQL stores no NUL."""

import re

from django.core.exceptions import SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from apps.infrastructure.web.error_pages import bad_request
from apps.infrastructure.web.middleware import is_api_request

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RefuseControlCharacters(MiddlewareMixin):
    """404 for a page's path with a control character, 400 for NUL in a query or a raw field."""

    def process_request(self, request: HttpRequest) -> None:
        if is_api_request(request):
            return  # the API says in its own words what is wrong with an id or a parameter
        if _CONTROL.search(request.path_info):
            raise Http404
        if "%00" in request.META.get("QUERY_STRING", ""):
            raise SuspiciousOperation("NUL in the query")

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        # A form field refuses NUL by itself; this is for what is read without one.
        is_nul = isinstance(exception, (DataError, ValueError)) and "NUL (0x00)" in str(exception)
        return bad_request(request, exception) if is_nul else None
