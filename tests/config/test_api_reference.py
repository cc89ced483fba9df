"""The API reference page."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from config.api_reference import build_example, describe_type, operations_by_tag, render_inline_code
from config.openapi import operations

pytestmark = pytest.mark.django_db


def test_page_shows_every_operation() -> None:
    page = Client().get("/docs/api").content.decode()
    shown = re.findall(r'<article class="operation stack" id="(\w+)">', page)
    assert sorted(shown) == sorted(operation["operationId"] for *_, operation in operations())
    addresses = re.findall(r'<span class="break">(/api/[^<]+)</span></p>', page)
    assert set(addresses) == {path for path, *_ in operations()}


def test_page_loads_no_external_resources() -> None:
    page = Client().get("/docs/api").content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert [each for each in loaded if not each.startswith(("/", "#", "data:"))] == []


def test_operation_has_fields_request_responses_and_errors() -> None:
    (chat,) = [each for _, group in operations_by_tag() for each in group if each.name == "chat"]
    fields = [(field.name, field.location, field.is_required) for field in chat.fields]
    assert (fields[0], fields[4]) == (
        ("chatbotId", "path", True),
        ("message", "body", True),
    )
    assert '"message": "Hello, how can you help me?"' in chat.request
    assert [answer.status for answer in chat.responses] == ["200"]
    assert chat.errors[2].description == "Payment Required: <code>INSUFFICIENT_CREDITS</code>."


def test_describe_type_and_build_example() -> None:
    schema = {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}
    assert (describe_type(schema), build_example(schema)) == ("array of integer | null", [0])
    assert describe_type({"enum": ["up", "down"]}) == '"up" | "down"'


def test_render_inline_code_escapes_html() -> None:
    assert render_inline_code("`a<b>` & c") == "<code>a&lt;b&gt;</code> &amp; c"
