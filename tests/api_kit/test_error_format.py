from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError
from psycopg_pool import PoolTimeout
from rest_framework import exceptions

from apps.api_kit.error_format import as_api_error, flatten_details
from apps.core import errors


def test_flatten_details() -> None:
    detail = {"a": {"b": ["One."], "c": {"d": "Two."}}, "e": ["Three.", "Four."]}
    assert flatten_details(detail) == {
        "a.b": ["One."],
        "a.c.d": ["Two."],
        "e": ["Three.", "Four."],
    }
    assert flatten_details(["Five."]) == {"body": ["Five."]}


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (errors.PayloadTooLarge(), 413, "PAYLOAD_TOO_LARGE"),
        (exceptions.ParseError("JSON parse error - x"), 400, "VALIDATION_ERROR"),
        (exceptions.ValidationError({"a": ["b"]}), 400, "VALIDATION_ERROR"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (exceptions.NotFound(), 404, "NOT_FOUND"),
        (OperationalError("the connection is lost"), 503, "SERVICE_UNAVAILABLE"),
        (PoolTimeout("no connection"), 503, "SERVICE_UNAVAILABLE"),
        (IntegrityError("DETAIL: secret"), 500, "INTERNAL_ERROR"),
        (RuntimeError("secret"), 500, "INTERNAL_ERROR"),
    ],
)
def test_as_api_error_maps_exceptions(exception: Exception, status: int, code: str) -> None:
    error = as_api_error(exception)
    assert (error.status, error.code) == (status, code)


def test_as_api_error_hides_unexpected_exceptions() -> None:
    assert as_api_error(RuntimeError("secret")).body() == errors.InternalError().body()
