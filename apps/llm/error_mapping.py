"""Map a provider's HTTP status, and the errors that it reports, to those of `apps.llm.errors`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

from apps.llm.errors import ContentFiltered, ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.provider_codes import ErrorMeaning, error_meaning, minimax_error_meaning

_CODE = re.compile(r"[a-z]{1,30}(_[a-z]{1,30}){0,8}")
_CODE_FIELDS = ("code", "error_code", "status", "status_code", "type", "error_type", "reason")
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


class Request(Protocol):
    """A request to a model, for a completion or for embeddings."""

    @property
    def model(self) -> str: ...

    @property
    def api_base(self) -> str: ...

    @property
    def api_key_env(self) -> str: ...


def error_from_status(
    request: Request, status: int, *, code: object = None, retry_after: float | None = None
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
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return ProviderUnavailable(f"{answered}: its account has no credit left")
    if status in _BUSY_STATUSES:
        return ProviderUnavailable(detail, retryable=True, retry_after=retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        return ProviderFailed(detail, retryable=True, retry_after=retry_after)
    return ProviderFailed(detail)


def error_from_report(
    request: Request,
    report: Mapping[str, Any],
    *,
    status: int = HTTPStatus.OK,
    retry_after: float | None = None,
) -> ProviderError:
    """Return the error for the JSON in which a provider reports one.

    `status`: of the response. Codes, types and statuses in the report say more than it does.
    """
    codes = error_codes(report)
    name = next(filter(None, map(safe_error_code, codes)), "")
    meanings = [meaning for code in codes if (meaning := error_meaning(code))]
    meanings += filter(None, [_minimax_meaning(report)])
    if meanings:
        answered = "reported an error" if status == HTTPStatus.OK else f"answered {status}"
        detail = f"{request.model}: the provider {answered} ({name or meanings[0]})"
        return _error_from_meaning(meanings[0], detail, retry_after)
    if status in (HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR):
        status = next(filter(None, map(_http_status, codes)), status)
    if status == HTTPStatus.OK:
        named = f" ({name})" if name else ""
        return ProviderFailed(f"{request.model}: the provider reported an error{named}")
    return error_from_status(request, status, code=name, retry_after=retry_after)


def error_codes(report: Mapping[str, Any]) -> list[object]:
    """Return everything in an error report that may be a code, the most telling first."""
    errors = report.get("errors")
    places = [report.get("error"), *(errors if isinstance(errors, list) else [errors]), report]
    found: list[object] = []
    for place in places:
        if isinstance(place, str):
            found.append(place)
        if isinstance(place, dict):
            found += [place.get(name) for name in _CODE_FIELDS]
            inner = [place.get(name) for name in ("innererror", "inner_error", "metadata")]
            for each in inner:
                if isinstance(each, dict):
                    found += [each.get("code"), each.get("error_type")]
                    found += ["moderation"] if "flagged_input" in each else []  # OpenRouter
    return [code for code in found if isinstance(code, int | str) and not isinstance(code, bool)]


def _error_from_meaning(
    meaning: ErrorMeaning, detail: str, retry_after: float | None
) -> ProviderError:
    match meaning:
        case "busy":
            return ProviderUnavailable(detail, retryable=True, retry_after=retry_after)
        case "no_credit":
            return ProviderUnavailable(f"{detail}: its account has no credit left")
        case "content_filter":
            return ContentFiltered(detail)
        case "too_long":
            return ProviderFailed(f"{detail}: the prompt is longer than the model's context")


def _minimax_meaning(report: Mapping[str, Any]) -> ErrorMeaning | None:
    base = report.get("base_resp")
    return minimax_error_meaning(base.get("status_code")) if isinstance(base, dict) else None


def _http_status(code: object) -> int | None:
    number = int(code) if isinstance(code, str) and re.fullmatch(r"\d{3}", code) else code
    return number if isinstance(number, int) and 400 <= number < 600 else None


def safe_error_code(code: object) -> str:
    """Return an error code that is certainly nothing else; "" for what could be a key or a text."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _advice(request: Request, status: int) -> str:
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
