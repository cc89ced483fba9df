from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from apps.core.ids import first_id_at, is_id, new_id


def test_id_is_c_and_24_base36_digits() -> None:
    assert all(re.fullmatch(r"c[0-9a-z]{24}", new_id()) for _ in range(100))


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_ids_sort_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [0, 1, 35, 36, 10**9, 1_800_000_000_000, 1_800_000_000_001, 4_000_000_000_000]
    made = []
    for moment in moments:
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment * 1_000_000)
        made.append(new_id())
    assert all(earlier < later for earlier, later in pairwise(made))
    assert {len(made_id) for made_id in made} == {25}


def test_first_id_of_a_moment_lies_between_the_ids_before_and_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = datetime(2026, 11, 26, 12, tzinfo=UTC)
    made = []
    for milliseconds in (-1, 0, 1):
        at = int(moment.timestamp() * 1000) + milliseconds
        monkeypatch.setattr(time, "time_ns", lambda at=at: at * 1_000_000)
        made.append(new_id())
    assert [one >= first_id_at(moment) for one in made] == [False, True, True]


def test_new_id_could_be_an_id() -> None:
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
def test_other_text_cannot_be_an_id(text: str) -> None:
    assert is_id(text) is False
