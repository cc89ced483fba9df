from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from apps.core.ids import id_at, is_id, min_id_at, new_id, random_bits


def test_id_is_c_and_24_base36_digits() -> None:
    assert all(re.fullmatch(r"c[0-9a-z]{24}", new_id()) for _ in range(100))


def test_ids_are_unique() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_ids_sort_by_their_time() -> None:
    times = [0, 1, 35, 36, 10**9, 1_800_000_000_000, 1_800_000_000_001, 4_000_000_000_000]
    ids = [id_at(milliseconds, random_bits()) for milliseconds in times]
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {len(each) for each in ids} == {25}


def test_new_id_has_the_current_time() -> None:
    before, created, after = time.time_ns(), new_id(), time.time_ns()
    first, last = (id_at(at // 1_000_000, 0)[:10] for at in (before, after))
    assert first <= created[:10] <= last


def test_min_id_at_lies_between_ids_before_and_after() -> None:
    moment = datetime(2026, 11, 26, 12, tzinfo=UTC)
    milliseconds = int(moment.timestamp() * 1000)
    ids = [id_at(milliseconds + offset, random_bits()) for offset in (-1, 0, 1)]
    assert [each >= min_id_at(moment) for each in ids] == [False, True, True]


def test_new_id_is_an_id() -> None:
    assert is_id(new_id()) is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c",
        "c" * 24,
        "c" * 26,
        "d" + "0" * 24,
        "c" + "A" * 24,
        "c" + "-" * 24,
        "c" + "0" * 23 + "\n",
        "c" + "0" * 23 + "\x00",
        "c" + "٣" * 24,
        "c" + "\ud800" * 24,
    ],
)
def test_other_text_is_not_an_id(text: str) -> None:
    assert is_id(text) is False
