"""Poll values and notify subscribers of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest
from django.db import OperationalError

from apps.infrastructure.postgres.polling import Poller


class FakeTable:
    """Values by key, and the keys of each query."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {"a": 1}
        self.queries: list[set[str]] = []
        self.error: type[Exception] | None = None

    def fetch(self, keys: Collection[str]) -> Mapping[str, int]:
        self.queries.append(set(keys))
        if self.error:
            raise self.error
        return self.values


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


async def wait_for_queries(table: FakeTable, count: int = 2) -> None:
    """Wait until so many more queries have started: subscribers know all but the last."""
    target = len(table.queries) + count
    while len(table.queries) < target:  # noqa: ASYNC110 - the query runs in a thread
        await asyncio.sleep(0.001)


async def test_subscriber_is_notified_at_first_and_of_changes(table: FakeTable) -> None:
    poller = Poller(table.fetch, interval_seconds=0.001)
    values: list[int | None] = []
    poller.subscribe("a", values.append)
    await wait_for_queries(table)
    assert values == [1]
    table.values["a"] = 2
    await wait_for_queries(table)
    del table.values["a"]
    await wait_for_queries(table)
    poller.unsubscribe("a", values.append)
    assert values == [1, 2, None]


async def test_subscribers_share_one_query(table: FakeTable) -> None:
    poller = Poller(table.fetch, interval_seconds=0.001)
    first: list[int | None] = []
    second: list[int | None] = []
    poller.subscribe("a", first.append)
    poller.subscribe("a", second.append)
    poller.subscribe("b", second.append)
    await wait_for_queries(table)
    assert (first, second) == ([1], [1, None])
    assert table.queries[-1] == {"a", "b"}


async def test_no_query_without_subscribers(table: FakeTable) -> None:
    poller = Poller(table.fetch, interval_seconds=0.001)
    values: list[int | None] = []
    poller.subscribe("a", values.append)
    await wait_for_queries(table)
    poller.unsubscribe("a", values.append)
    await asyncio.sleep(0.05)
    count = len(table.queries)
    await asyncio.sleep(0.05)
    assert len(table.queries) == count
    poller.subscribe("a", values.append)
    await wait_for_queries(table)
    assert values == [1, 1]


@pytest.mark.parametrize("error", [OperationalError, ValueError])
async def test_failed_query_is_retried(table: FakeTable, error: type[Exception]) -> None:
    table.error = error
    poller = Poller(table.fetch, interval_seconds=0.001)
    values: list[int | None] = []
    poller.subscribe("a", values.append)
    await wait_for_queries(table)
    assert values == []
    table.error = None
    await wait_for_queries(table)
    assert values == [1]


async def test_callback_may_unsubscribe_others(table: FakeTable) -> None:
    poller = Poller(table.fetch, interval_seconds=0.001)
    values: list[int | None] = []

    def first(_value: int | None) -> None:
        poller.unsubscribe("a", values.append)
        poller.unsubscribe("b", values.append)

    poller.subscribe("a", first)
    poller.subscribe("a", values.append)
    poller.subscribe("b", values.append)
    await wait_for_queries(table)
    assert values == []
