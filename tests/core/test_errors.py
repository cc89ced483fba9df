from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from importlib import import_module
from importlib.util import find_spec

import pytest
from django.apps import apps

from apps.core import errors
from apps.core.errors import ApiError

for config in apps.get_app_configs():
    if config.name.startswith("apps.") and find_spec(f"{config.name}.errors"):
        import_module(f"{config.name}.errors")


def subclasses(root: type[ApiError]) -> Iterator[type[ApiError]]:
    yield root
    for child in root.__subclasses__():
        yield from subclasses(child)


ALL = list(subclasses(ApiError))
WITH_CODE = [error for error in ALL[1:] if "code" in vars(error)] + [errors.InternalError]


@pytest.mark.parametrize("error", WITH_CODE, ids=lambda error: str(error.__name__))
def test_error_has_status_code_and_message(error: type[ApiError]) -> None:
    assert 400 <= HTTPStatus(error.status) <= 599
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", error.code)
    assert re.fullmatch(r"[A-Z].{10,}", error.message)


def test_every_leaf_has_a_code() -> None:
    without_code = [e.__name__ for e in ALL if not e.__subclasses__() and e not in WITH_CODE]
    assert without_code == []


def test_error_codes_are_unique() -> None:
    repeated = {code: n for code, n in Counter(error.code for error in WITH_CODE).items() if n > 1}
    assert repeated == {}


def test_documented_codes_have_their_status() -> None:
    documented = {
        "VALIDATION_ERROR": 400,
        "MISSING_AUTH_HEADER": 401,
        "INVALID_API_KEY": 401,
        "INSUFFICIENT_CREDITS": 402,
        "SCOPE_MISSING": 403,
        "CHATBOT_NOT_FOUND": 404,
        "CONVERSATION_NOT_FOUND": 404,
        "METHOD_NOT_ALLOWED": 405,
        "CONVERSATION_BUSY": 409,
        "IDEMPOTENCY_MISMATCH": 409,
        "PAYLOAD_TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "RATE_LIMIT_EXCEEDED": 429,
        "INTERNAL_ERROR": 500,
        "MODEL_ERROR": 502,
        "MODEL_UNAVAILABLE": 503,
        "SERVICE_UNAVAILABLE": 503,
        "MODEL_TIMEOUT": 504,
    }
    found = {error.code: error.status for error in WITH_CODE}
    assert {code: found.get(code) for code in documented} == documented


def test_error_has_a_default_or_given_message() -> None:
    assert errors.NotFound().body() == {
        "success": False,
        "error": "There is nothing at this address.",
        "code": "NOT_FOUND",
    }
    assert errors.NotFound("No such page.").body()["error"] == "No such page."
    assert str(errors.NotFound("No such page.")) == "No such page."


def test_validation_error_body_has_details() -> None:
    error = errors.ValidationFailed({"message": ("Too long.",)})
    assert error.body() == {
        "success": False,
        "error": "The request is not valid. See details.",
        "code": "VALIDATION_ERROR",
        "details": {"message": ["Too long."]},
    }


@pytest.mark.parametrize(("given", "expected"), [(-3, 1), (0, 1), (1, 1), (42, 42)])
def test_too_many_requests_has_retry_after(given: int, expected: int) -> None:
    error = errors.TooManyRequests(given)
    assert error.body()["retryAfter"] == expected
    assert error.headers() == {"Retry-After": str(expected)}


def test_service_unavailable_has_retry_after() -> None:
    assert errors.ServiceUnavailable().headers() == {"Retry-After": "5"}


def test_unauthenticated_names_the_scheme() -> None:
    assert errors.Unauthenticated().headers() == {"WWW-Authenticate": 'Bearer realm="Parley"'}


def test_method_not_allowed_lists_allowed_methods() -> None:
    assert errors.MethodNotAllowed(["GET", "POST"]).headers() == {"Allow": "GET, POST"}
    assert errors.MethodNotAllowed().headers() == {}
