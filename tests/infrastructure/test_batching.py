from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from apps.infrastructure.concurrency.batching import Batcher


class FakeTable:
    """Records statements, and answers each row with its upper case.

    "bad" and "unencodable" make a statement fail, "down" means that the database is unavailable,
    "full" is to be retried once, and "slow" waits until `released` is set.
    """

    def __init__(self) -> None:
        self.statements: list[list[str]] = []
        self.started = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()

    async def execute(self, rows: Sequence[str]) -> list[str | None]:
        self.statements.append(list(rows))
        self.started.set()
        await asyncio.sleep(0)
        if "slow" in rows:
            await self.released.wait()
        if "bad" in rows:
            raise psycopg.errors.RaiseException
        if "unencodable" in rows:
            raise TypeError
        if "down" in rows:
            raise psycopg.OperationalError
        retry = "full" in rows and sum("full" in one for one in self.statements) == 1
        return [None if row == "full" and retry else row.upper() for row in rows]


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


async def outcomes(batcher: Batcher[str, str], *rows: str) -> list[str]:
    """The results of concurrent requests, or the names of their errors."""
    results = await asyncio.gather(*(batcher.execute(row) for row in rows), return_exceptions=True)
    return [one if isinstance(one, str) else type(one).__name__ for one in results]


async def test_concurrent_requests_share_a_statement(table: FakeTable) -> None:
    batcher = Batcher(table.execute)
    assert await outcomes(batcher, "a", "b", "c") == ["A", "B", "C"]
    assert await outcomes(batcher, "d") == ["D"]
    assert table.statements == [["a", "b", "c"], ["d"]]


async def test_requests_during_a_statement_share_the_next(table: FakeTable) -> None:
    batcher = Batcher(table.execute)
    first = asyncio.create_task(batcher.execute("a"))
    await table.started.wait()
    assert await outcomes(batcher, "b", "c") == ["B", "C"]
    assert await first == "A"
    assert table.statements == [["a"], ["b", "c"]]


async def test_batch_size_is_limited(table: FakeTable) -> None:
    batcher = Batcher(table.execute, max_batch_size=2)
    assert await outcomes(batcher, *"abcde") == list("ABCDE")
    assert table.statements == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("bad", "error"), [("bad", "RaiseException"), ("unencodable", "TypeError")]
)
async def test_bad_row_fails_alone(table: FakeTable, bad: str, error: str) -> None:
    batcher = Batcher(table.execute)
    assert await outcomes(batcher, "a", bad, "b", "c") == ["A", error, "B", "C"]
    assert table.statements == [["a", bad, "b", "c"], ["a", bad], ["a"], [bad], ["b", "c"]]


async def test_batch_is_split_in_halves(table: FakeTable) -> None:
    batcher = Batcher(table.execute)
    rows = [f"row {number}" for number in range(63)]
    assert await outcomes(batcher, *rows, "bad") == [row.upper() for row in rows] + [
        "RaiseException"
    ]
    assert len(table.statements) == 1 + 2 * 6


async def test_unavailable_database_fails_the_whole_batch(table: FakeTable) -> None:
    batcher = Batcher(table.execute)
    assert await outcomes(batcher, "a", "down") == ["OperationalError"] * 2
    assert await outcomes(batcher, "b") == ["B"]
    assert table.statements == [["a", "down"], ["b"]]


async def test_row_without_result_is_retried(table: FakeTable) -> None:
    batcher = Batcher(table.execute)
    assert await outcomes(batcher, "a", "full") == ["A", "FULL"]
    assert table.statements == [["a", "full"], ["full"]]


async def test_cancelled_caller_does_not_affect_the_others(table: FakeTable) -> None:
    batcher = Batcher(table.execute)
    callers = [asyncio.create_task(batcher.execute(row)) for row in "abc"]
    await asyncio.sleep(0)
    callers[1].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [results[0], type(results[1]), results[2]] == ["A", asyncio.CancelledError, "C"]
    assert table.statements == [["a", "b", "c"]]


async def test_second_statement_starts_while_the_first_is_slow(table: FakeTable) -> None:
    table.released.clear()
    batcher = Batcher(table.execute, concurrency=2, slow_after_seconds=0)
    slow = asyncio.create_task(batcher.execute("slow"))
    await table.started.wait()
    assert await outcomes(batcher, "a", "b") == ["A", "B"]
    assert await outcomes(batcher, "c") == ["C"]
    assert not slow.done()
    table.released.set()
    assert await slow == "SLOW"
    assert await outcomes(batcher, "d") == ["D"]
    assert table.statements == [["slow"], ["a", "b"], ["c"], ["d"]]


async def test_statements_run_in_turn_unless_slow(table: FakeTable) -> None:
    table.released.clear()
    batcher = Batcher(table.execute, concurrency=2, slow_after_seconds=60)
    first = asyncio.gather(*(batcher.execute(row) for row in ("slow", "a")))
    await table.started.wait()
    later = asyncio.create_task(batcher.execute("b"))
    await asyncio.sleep(0.01)
    assert table.statements == [["slow", "a"]]
    table.released.set()
    assert [*await first, await later] == ["SLOW", "A", "B"]
    assert table.statements == [["slow", "a"], ["b"]]


async def test_results_that_do_not_match_fail_the_items() -> None:
    """Nobody waits for a result that will not come."""

    async def forget_the_last(rows: Sequence[str]) -> list[str | None]:
        return [row.upper() for row in rows[:-1]]

    batcher: Batcher[str, str] = Batcher(forget_the_last)
    assert await outcomes(batcher, "a", "b") == ["ValueError", "ValueError"]
