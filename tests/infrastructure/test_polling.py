"""What is held is asked after; what is not, is not."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest
from django.db import OperationalError

from apps.infrastructure.concurrency.polling import Poller


class Rows:
    """Stands for the database: values by key, and the keys that were asked for."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {"a": 1}
        self.asked: list[set[str]] = []
        self.away: type[Exception] | None = None

    def look(self, keys: Collection[str]) -> Mapping[str, int]:
        self.asked.append(set(keys))
        if self.away:
            raise self.away
        return self.values


@pytest.fixture
def rows() -> Rows:
    return Rows()


async def looks(rows: Rows, count: int = 2) -> None:
    """Until so many more looks have begun: all before the last have been told of."""
    most = len(rows.asked) + count
    while len(rows.asked) < most:  # noqa: ASYNC110 - the look runs in a thread
        await asyncio.sleep(0.001)


async def test_holder_is_told_at_first_and_of_each_change(rows: Rows) -> None:
    watch = Poller(rows.look, interval_seconds=0.001)
    told: list[int | None] = []
    watch.subscribe("a", told.append)
    await looks(rows)
    assert told == [1]
    rows.values["a"] = 2
    await looks(rows)
    del rows.values["a"]
    await looks(rows)
    watch.unsubscribe("a", told.append)
    assert told == [1, 2, None]


async def test_all_holders_share_one_look(rows: Rows) -> None:
    watch = Poller(rows.look, interval_seconds=0.001)
    first: list[int | None] = []
    second: list[int | None] = []
    watch.subscribe("a", first.append)
    watch.subscribe("a", second.append)
    watch.subscribe("b", second.append)
    await looks(rows)
    assert (first, second) == ([1], [1, None])
    assert rows.asked[-1] == {"a", "b"}


async def test_nothing_is_asked_while_nobody_holds(rows: Rows) -> None:
    watch = Poller(rows.look, interval_seconds=0.001)
    told: list[int | None] = []
    watch.subscribe("a", told.append)
    await looks(rows)
    watch.unsubscribe("a", told.append)
    await asyncio.sleep(0.05)
    count = len(rows.asked)
    await asyncio.sleep(0.05)
    assert len(rows.asked) == count
    watch.subscribe("a", told.append)
    await looks(rows)
    assert told == [1, 1]


@pytest.mark.parametrize("away", [OperationalError, ValueError])
async def test_look_that_fails_is_made_again(rows: Rows, away: type[Exception]) -> None:
    rows.away = away
    watch = Poller(rows.look, interval_seconds=0.001)
    told: list[int | None] = []
    watch.subscribe("a", told.append)
    await looks(rows)
    assert told == []
    rows.away = None
    await looks(rows)
    assert told == [1]


async def test_holder_that_lets_go_of_another_is_obeyed(rows: Rows) -> None:
    watch = Poller(rows.look, interval_seconds=0.001)
    told: list[int | None] = []

    def first(_value: int | None) -> None:
        watch.unsubscribe("a", told.append)
        watch.unsubscribe("b", told.append)

    watch.subscribe("a", first)
    watch.subscribe("a", told.append)
    watch.subscribe("b", told.append)
    await looks(rows)
    assert told == []
