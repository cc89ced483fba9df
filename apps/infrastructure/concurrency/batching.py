"""What waits at the same moment is asked of the database by one statement: group commit, where it
writes.

While a statement runs, others wait; when it is through, all of them go by the next one. Alone,
nobody waits for company. Nobody is answered before what it asked is committed.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import psycopg
from psycopg.errors import DeadlockDetected, LockNotAvailable

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Asked, Answer]):
    asked: Asked
    answer: asyncio.Future[Answer | None]


class Batcher(Generic[Asked, Answer]):
    """Puts what is asked to `execute_batch`, at most `max_batch_size` at a time, one statement after the other.

    While one is held up, by a lock or a slow disk, what came after it goes by another: once it has
    taken `slow_after_seconds` seconds, and in at most `concurrency` statements at once. Statements that share what
    they lock are slower side by side than in turns, for each has fewer rows.

    `execute_batch` answers each in its place, with None for one that is to be asked again in the next
    statement. If the database refuses the statement, each is asked by itself, and the bad one
    alone fails; if it is away, all fail.
    """

    def __init__(
        self,
        execute_batch: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | None]]],
        *,
        max_batch_size: int = 64,
        concurrency: int = 1,
        slow_after_seconds: float = 0.05,
    ) -> None:
        self._ask_all = execute_batch
        self._most = max_batch_size
        self._patience = slow_after_seconds
        self._waiting: deque[_Waiting[Asked, Answer]] = deque()
        self._lanes = concurrency
        self._running: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()

    async def execute(self, asked: Asked) -> Answer:
        """Ask one thing; returns once it is committed, or raises what its own statement raised."""
        while True:
            answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
            self._waiting.append(_Waiting(asked, answer))
            self._begin_if_free()
            if (answered := await answer) is not None:
                return answered

    def _begin_if_free(self) -> None:
        """Begin a statement unless one runs that is not slow yet."""
        if self._waiting and len(self._slow) == len(self._running) < self._lanes:
            # A fresh context: the lane outlives the request that happened to start it.
            step = self._ask_waiting()
            self._running.add(
                asyncio.get_running_loop().create_task(step, context=contextvars.Context())
            )

    async def _ask_waiting(self) -> None:
        lane = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while self._waiting:
                count = min(len(self._waiting), self._most)
                batch = [self._waiting.popleft() for _ in range(count)]
                timer = asyncio.get_running_loop().call_later(self._patience, self._lag, lane)
                await self._ask(batch)
                timer.cancel()
                self._slow.discard(lane)
        finally:
            # At once, so that whoever comes next begins anew.
            self._slow.discard(lane)
            self._running.discard(lane)

    def _lag(self, lane: asyncio.Task[None]) -> None:
        if lane in self._running:
            self._slow.add(lane)
            self._begin_if_free()

    async def _ask(self, batch: Sequence[_Waiting[Asked, Answer]]) -> None:
        try:
            answers = await self._ask_all([one.asked for one in batch])
        except Exception as error:
            if len(batch) == 1 or not _is_refusal(error):
                _fail(batch, error)
                return
            for one in batch:
                await self._ask([one])
        else:
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)


def _is_refusal(error: Exception) -> bool:
    """Whether the database is there, and would not do this: one row may be to blame for all."""
    if isinstance(error, psycopg.OperationalError):
        return isinstance(error, LockNotAvailable | DeadlockDetected)
    return isinstance(error, psycopg.DatabaseError)


def _fail(batch: Sequence[_Waiting[Asked, Answer]], error: Exception) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)
