from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from apps.core.ids import is_id, min_id_at, new_id


def test_id_is_c_and_24_base36_digits() -> None:
    assert all(re.fullmatch(r"c[0-9a-z]{24}", new_id()) for _ in range(100))


def test_ids_are_unique() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_ids_sort_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [0, 1, 35, 36, 10**9, 1_800_000_000_000, 1_800_000_000_001, 4_000_000_000_000]
    ids = []
    for milliseconds in times:
        monkeypatch.setattr(time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        ids.append(new_id())
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {len(each) for each in ids} == {25}


def test_min_id_at_lies_between_ids_before_and_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = datetime(2026, 11, 26, 12, tzinfo=UTC)
    ids = []
    for milliseconds in (-1, 0, 1):
        at = int(moment.timestamp() * 1000) + milliseconds
        monkeypatch.setattr(time, "time_ns", lambda at=at: at * 1_000_000)
        ids.append(new_id())
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
