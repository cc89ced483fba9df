from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from apps.llm.error_mapping import parse_retry_after, safe_error_code


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), ("7", 7.0), (" 1.5 ", 1.5), ("-1", None), ("soon", None), ("", None)],
)
def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    assert parse_retry_after({"Retry-After": header}) == seconds


def test_retry_after_absent() -> None:
    assert parse_retry_after({}) is None


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)

    ahead = parse_retry_after({"Retry-After": format_datetime(now + timedelta(seconds=90))})

    assert ahead == pytest.approx(90, abs=3)
    assert parse_retry_after({"Retry-After": format_datetime(now - timedelta(days=1))}) == 0


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "overloaded"])
def test_plain_codes_are_kept(code: str) -> None:
    assert safe_error_code(code) == code


@pytest.mark.parametrize("code", [None, 7, "sk-abc", "Bad key", "_", "x" * 40, "AKIA1234"])
def test_codes_that_could_be_secrets_are_dropped(code: object) -> None:
    assert safe_error_code(code) == ""
