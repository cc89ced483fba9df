from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from psycopg_pool import PoolTimeout
from rest_framework import exceptions, serializers

from apps.api_kit.error_format import as_api_error, flatten_details
from apps.api_kit.serializers import StrictBooleanField, StrictCharField, StrictSerializer
from apps.core import errors


class Order(StrictSerializer):
    """What a caller might send."""

    title = StrictCharField(max_length=5)
    express = StrictBooleanField(required=False)
    note = serializers.JSONField(required=False)


def problems(data: Any) -> dict[str, list[str]]:
    order = Order(data=data)
    assert order.is_valid() is False
    return flatten_details(order.errors)


def test_order_of_the_right_form_is_taken() -> None:
    order = Order(data={"title": "x", "express": True})
    assert order.is_valid() is True
    assert order.validated_data == {"title": "x", "express": True}


@pytest.mark.parametrize("title", [1, 1.5, True, None, ["x"], {"a": "b"}])
def test_text_is_a_string_and_nothing_else(title: Any) -> None:
    assert list(problems({"title": title})) == ["title"]


@pytest.mark.parametrize("express", ["true", "false", 1, 0, "yes", None, []])
def test_truth_is_true_or_false_and_nothing_else(express: Any) -> None:
    assert list(problems({"title": "x", "express": express})) == ["express"]


def test_unknown_field_is_named() -> None:
    assert problems({"title": "x", "titel": "y"}) == {"titel": ["This field is not known here."]}


def test_unknown_and_wrong_fields_are_named_together() -> None:
    assert problems({"title": 1, "titel": "y"}) == {
        "titel": ["This field is not known here."],
        "title": ["This must be a string."],
    }


def test_names_of_unknown_fields_are_cut_and_counted() -> None:
    found = problems({f"{number:03}" + "x" * 1000: 1 for number in range(100)})
    assert len(found) == 20
    assert max(len(name) for name in found) == 64


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_body_that_is_no_object_is_refused(data: Any) -> None:
    order = Order(data=data)
    assert order.is_valid() is False


def test_details_are_flat() -> None:
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
def test_exception_becomes_an_error_of_the_tree(
    exception: Exception, status: int, code: str
) -> None:
    error = as_api_error(exception)
    assert (error.status, error.code) == (status, code)


def test_unforeseen_exception_says_nothing_of_itself() -> None:
    assert as_api_error(RuntimeError("secret")).body() == errors.InternalError().body()
