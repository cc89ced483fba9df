from __future__ import annotations

import codecs

import pytest

from apps.core.errors import ValidationFailed
from apps.core.json_parsing import parse_json

TEXT = '{"a": "ü\ufeff"}'


@pytest.mark.parametrize(
    "text", [TEXT, "\ufeff" + TEXT, TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode()]
)
def test_byte_order_mark_before_the_text_is_ignored(text: bytes | str) -> None:
    assert parse_json(text) == {"a": "ü\ufeff"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_encodings_are_named(encoding: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_json(TEXT.encode(encoding))
    assert refused.value.message == "The body is not UTF-8. Send JSON as UTF-8."


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"\xff{}", b"{} {}", b"NaN", b'{"a": -Infinity}', b'"\xfc"', b"9" * 5000),
        *(codecs.BOM_UTF8, codecs.BOM_UTF8 * 2 + b"{}"),
    ],
)
def test_invalid_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_json(text, name="message")
    assert refused.value.message == "The message is not valid JSON."


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_json("[" * 100_000)
    assert refused.value.message == "The body is nested too deep."
