"""Days within bounds, and until when credits can be used, in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from apps.core.dates import (
    DayOutOfBounds,
    end_of_day,
    last_usable_day,
    parse_day,
    usable_to,
    usable_to_iso,
)


@pytest.mark.parametrize("text", ["1970-01-01", "2027-12-31", "2028-02-29", "2199-12-31"])
def test_day_is_parsed_and_has_an_end(text: str) -> None:
    day = parse_day(text)
    assert str(day) == text == str(last_usable_day(end_of_day(day)))


@pytest.mark.parametrize("text", ["1969-12-31", "2200-01-01", "9999-12-31", "0001-01-01"])
def test_day_out_of_bounds_is_said(text: str) -> None:
    with pytest.raises(DayOutOfBounds, match="between 1970 and 2199"):
        parse_day(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2027-02-29", "2027-13-01", "2027-00-10", "20271231", "2027-W01-1", "2027-1-1"),
        *("-2027-12-31", "+2027-12-31", "2027-12-31 ", "2027-12-31\n", "12/31/2027"),
        *("٢٠٢٧-١٢-٣١", "\uff12027-12-31", "2027-12-31T00:00", "2027-12-31\x00", "10000-01-01"),
    ],
)
def test_other_texts_are_no_days(text: str) -> None:
    with pytest.raises(ValueError, match=r"Write a day as 2027-12-31\."):
        parse_day(text)


@pytest.mark.parametrize(
    ("expires_at", "words", "iso"),
    [
        (end_of_day(date(2027, 12, 31)), "31 Dec 2027 (UTC)", "2027-12-31"),
        (
            datetime(2028, 1, 1, 9, 30, tzinfo=UTC),
            "1 Jan 2028, 09:30 UTC",
            "2028-01-01T09:30:00+00:00",
        ),
        (
            datetime(2028, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            "31 Dec 2027 (UTC)",
            "2027-12-31",
        ),
    ],
)
def test_usable_to_names_the_last_day_and_the_zone(
    expires_at: datetime, words: str, iso: str
) -> None:
    assert (usable_to(expires_at), usable_to_iso(expires_at)) == (words, iso)
