from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from apps.api_kit.error_format import flatten_details
from apps.api_kit.serializers import StrictBooleanField, StrictCharField, StrictSerializer


class Order(StrictSerializer):
    """A serializer for these tests."""

    title = StrictCharField(max_length=5)
    express = StrictBooleanField(required=False)
    note = serializers.JSONField(required=False)


def problems(data: Any) -> dict[str, list[str]]:
    order = Order(data=data)
    assert order.is_valid() is False
    return flatten_details(order.errors)


def test_serializer_accepts_valid_data() -> None:
    order = Order(data={"title": "x", "express": True})
    assert order.is_valid() is True
    assert order.validated_data == {"title": "x", "express": True}


@pytest.mark.parametrize("title", [1, 1.5, True, None, ["x"], {"a": "b"}])
def test_char_field_accepts_only_strings(title: Any) -> None:
    assert list(problems({"title": title})) == ["title"]


@pytest.mark.parametrize("express", ["true", "false", 1, 0, "yes", None, []])
def test_boolean_field_accepts_only_booleans(express: Any) -> None:
    assert list(problems({"title": "x", "express": express})) == ["express"]


def test_serializer_names_unknown_field() -> None:
    assert problems({"title": "x", "titel": "y"}) == {"titel": ["This field is not known here."]}


def test_serializer_names_unknown_and_invalid_fields() -> None:
    assert problems({"title": 1, "titel": "y"}) == {
        "titel": ["This field is not known here."],
        "title": ["This must be a string."],
    }


def test_serializer_truncates_unknown_names() -> None:
    found = problems({f"{number:03}" + "x" * 1000: 1 for number in range(100)})
    assert len(found) == 20
    assert max(len(name) for name in found) == 64


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_serializer_refuses_non_object(data: Any) -> None:
    order = Order(data=data)
    assert order.is_valid() is False
