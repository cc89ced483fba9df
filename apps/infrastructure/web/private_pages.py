"""Headers of pages that are for one person: not stored, and their addresses told to nobody."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.infrastructure.logging import has_secret_path
from apps.infrastructure.web.middleware import response_middleware

REFERRER_POLICY = "strict-origin"
"""The path of such a page is in no Referer header. `no-referrer` would break its forms: browsers
then send `Origin: null`, which the CSRF check refuses."""


@response_middleware
def private_pages(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Keep pages of a session out of caches, and the secrets in some addresses out of referrers."""
    has_secret = has_secret_path(request.path)
    if has_secret:
        response.headers["Referrer-Policy"] = REFERRER_POLICY
    if has_secret or settings.SESSION_COOKIE_NAME in request.COOKIES:
        response.headers.setdefault("Cache-Control", "private, no-store")
    return response
