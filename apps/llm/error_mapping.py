"""Map a provider's HTTP status to one of `apps.llm.errors`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from apps.llm.errors import ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.types import ModelRequest

_CODE = re.compile(r"[a-z]{1,30}(_[a-z]{1,30}){0,8}")
_NO_CREDIT_CODES = {"insufficient_quota", "billing_hard_limit_reached"}
_BUSY_STATUSES = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
    529,  # "overloaded", with several providers
}


def error_from_status(
    request: ModelRequest, status: int, *, code: object = None, retry_after: float | None = None
) -> ProviderError:
    """Return the error for a status.

    The provider's message is left out: it may quote the prompt or the key. Its code, a plain word
    such as `context_length_exceeded`, is kept.
    """
    safe_code = safe_error_code(code)
    answered = f"{request.model}: the provider answered {status}"
    if safe_code:
        answered += f" ({safe_code})"
    detail = answered + _advice(request, status)
    if status == HTTPStatus.PAYMENT_REQUIRED or safe_code in _NO_CREDIT_CODES:
        return ProviderUnavailable(f"{answered}: its account has no credit left")
    if status in _BUSY_STATUSES:
        return ProviderUnavailable(detail, retryable=True, retry_after=retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        return ProviderFailed(detail, retryable=True, retry_after=retry_after)
    return ProviderFailed(detail)


def safe_error_code(code: object) -> str:
    """Return an error code that is certainly nothing else; "" for what could be a key or a text."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _advice(request: ModelRequest, status: int) -> str:
    """A hint for the operator, if the catalogue entry or the environment is the likely cause."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        if request.api_key_env:
            return f": it refused the key in {request.api_key_env}"
        return ": it wants a key, and the catalogue names no variable for one"
    if status == HTTPStatus.NOT_FOUND:
        return ": it does not know this model, or the api base is wrong"
    if 300 <= status < 400:
        return ": redirects are not followed; the api base must be the final address"
    return ""


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Parse a Retry-After header in either form to seconds; None when absent or invalid."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
