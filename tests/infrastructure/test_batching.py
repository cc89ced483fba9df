from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from apps.infrastructure.concurrency.batching import Batcher


class Table:
    """What is written, statement by statement. Refuses "bad", has "full" ask twice, and waits with
    "held" while that is so."""

    def __init__(self) -> None:
        self.statements: list[list[str]] = []
        self.begun = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()

    async def ask_all(self, asked: Sequence[str]) -> list[str | None]:
        self.statements.append(list(asked))
        self.begun.set()
        await asyncio.sleep(0)
        if "held" in asked:
            await self.held.wait()
        if "bad" in asked:
            raise psycopg.errors.RaiseException
        if "away" in asked:
            raise psycopg.OperationalError
        again = "full" in asked and sum("full" in one for one in self.statements) == 1
        return [None if one == "full" and again else one.upper() for one in asked]


@pytest.fixture
def table() -> Table:
    return Table()


async def outcomes(batches: Batcher[str, str], *asked: str) -> list[str]:
    answers = await asyncio.gather(*(batches.execute(one) for one in asked), return_exceptions=True)
    return [one if isinstance(one, str) else type(one).__name__ for one in answers]


async def test_what_waits_together_is_written_together(table: Table) -> None:
    batches = Batcher(table.ask_all)
    assert await outcomes(batches, "a", "b", "c") == ["A", "B", "C"]
    assert await outcomes(batches, "d") == ["D"]
    assert table.statements == [["a", "b", "c"], ["d"]]


async def test_what_comes_while_a_statement_runs_waits_for_the_next(table: Table) -> None:
    batches = Batcher(table.ask_all)
    first = asyncio.create_task(batches.execute("a"))
    await table.begun.wait()
    assert await outcomes(batches, "b", "c") == ["B", "C"]
    assert await first == "A"
    assert table.statements == [["a"], ["b", "c"]]


async def test_statement_takes_no_more_than_it_may(table: Table) -> None:
    batches = Batcher(table.ask_all, max_batch_size=2)
    assert await outcomes(batches, *"abcde") == list("ABCDE")
    assert table.statements == [["a", "b"], ["c", "d"], ["e"]]


async def test_bad_row_fails_alone(table: Table) -> None:
    batches = Batcher(table.ask_all)
    assert await outcomes(batches, "a", "bad", "b") == ["A", "RaiseException", "B"]
    assert table.statements == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]


async def test_database_that_is_away_fails_all_and_is_asked_again_by_the_next(table: Table) -> None:
    batches = Batcher(table.ask_all)
    assert await outcomes(batches, "a", "away") == ["OperationalError"] * 2
    assert await outcomes(batches, "b") == ["B"]


async def test_what_found_no_room_is_asked_again(table: Table) -> None:
    batches = Batcher(table.ask_all)
    assert await outcomes(batches, "a", "full") == ["A", "FULL"]
    assert table.statements == [["a", "full"], ["full"]]


async def test_waiter_that_leaves_takes_nothing_from_the_others(table: Table) -> None:
    batches = Batcher(table.ask_all)
    waiters = [asyncio.create_task(batches.execute(one)) for one in "abc"]
    await asyncio.sleep(0)
    waiters[1].cancel()
    answers = await asyncio.gather(*waiters, return_exceptions=True)
    assert [answers[0], type(answers[1]), answers[2]] == ["A", asyncio.CancelledError, "C"]
    assert table.statements == [["a", "b", "c"]]


async def test_what_waits_behind_a_slow_statement_goes_by_another_lane(table: Table) -> None:
    table.held.clear()
    batches = Batcher(table.ask_all, concurrency=2, slow_after_seconds=0)
    held = asyncio.create_task(batches.execute("held"))
    await table.begun.wait()
    assert await outcomes(batches, "a", "b") == ["A", "B"]
    assert await outcomes(batches, "c") == ["C"]
    assert not held.done()
    table.held.set()
    assert await held == "HELD"
    assert await outcomes(batches, "d") == ["D"]
    assert table.statements == [["held"], ["a", "b"], ["c"], ["d"]]


async def test_patient_statements_are_written_in_turns(table: Table) -> None:
    table.held.clear()
    batches = Batcher(table.ask_all, concurrency=2, slow_after_seconds=60)
    written = asyncio.gather(*(batches.execute(one) for one in ("held", "a")))
    await table.begun.wait()
    later = asyncio.create_task(batches.execute("b"))
    await asyncio.sleep(0.01)
    assert table.statements == [["held", "a"]]
    table.held.set()
    assert [*await written, await later] == ["HELD", "A", "B"]
    assert table.statements == [["held", "a"], ["b"]]
