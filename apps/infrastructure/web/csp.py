"""The Content-Security-Policy header: what a page may load and run.

Our own pages use scripts and styles from our own files only, so that injected markup would still be
inert. The staff admin (unfold) is built on Alpine, which evaluates expressions in attributes; it
may do that, and still loads nothing from another host.

Django 6.0 has this built in.
"""

from collections.abc import Mapping

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.infrastructure.web.middleware import response_middleware

HEADER_NAME = "Content-Security-Policy"
REPORT_PATH = "/csp-reports"

_DEFAULT: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "report-uri": REPORT_PATH,
}
_ADMIN = {
    **_DEFAULT,
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
}


def _serialize(policy: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())


DEFAULT_POLICY, ADMIN_POLICY = _serialize(_DEFAULT), _serialize(_ADMIN)


@response_middleware
def content_security_policy(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add the policy to each response, unless its view has set one."""
    policy = ADMIN_POLICY if request.path.startswith("/admin/") else DEFAULT_POLICY
    response.headers.setdefault(HEADER_NAME, policy)
    return response
