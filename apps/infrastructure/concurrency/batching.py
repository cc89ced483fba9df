"""Execute concurrent requests in batches, one SQL statement for each (group commit).

While a statement runs, new requests wait; when it ends, all of them go into the next one. A request
that is alone does not wait for others. Each gets its result only after its batch is committed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import psycopg

from apps.infrastructure.concurrency.background import start_background_task

Item = TypeVar("Item")
Result = TypeVar("Result")

_UNAVAILABLE_CLASSES = {"08", "53", "57"}
"""SQLSTATE classes of a server that can serve nobody: connection, resources, shutdown."""
_QUERY_CANCELED = "57014"


@dataclass(frozen=True, slots=True)
class _Pending(Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result | None]


class Batcher(Generic[Item, Result]):
    """Passes items to `execute_batch`, at most `max_batch_size` at a time.

    Batches run one after the other. Once a batch has taken `slow_after_seconds` (a lock, a slow
    disk), the items that came after it go into another one beside it, up to `concurrency` batches
    at a time. Statements that lock the same rows are slower in parallel than in turns, because each
    has fewer items.

    `execute_batch` returns the result of each item in order; None puts an item into the next batch.
    If it raises because of an item, the batch is split until the culprit fails alone; if the
    database is unavailable, the whole batch fails.
    """

    def __init__(
        self,
        execute_batch: Callable[[Sequence[Item]], Awaitable[Sequence[Result | None]]],
        *,
        max_batch_size: int = 64,
        concurrency: int = 1,
        slow_after_seconds: float = 0.05,
    ) -> None:
        self._execute_batch = execute_batch
        self._max_batch_size = max_batch_size
        self._slow_after_seconds = slow_after_seconds
        self._pending: deque[_Pending[Item, Result]] = deque()
        self._concurrency = concurrency
        self._workers: set[asyncio.Task[None]] = set()
        self._slow_workers: set[asyncio.Task[None]] = set()

    async def execute(self, item: Item) -> Result:
        """Execute one item in the next batch. Raises what `execute_batch` raised for it."""
        while True:
            future: asyncio.Future[Result | None] = asyncio.get_running_loop().create_future()
            self._pending.append(_Pending(item, future))
            self._start_worker_if_free()
            if (result := await future) is not None:
                return result

    def _start_worker_if_free(self) -> None:
        """Start a worker, unless one is running that is not slow yet."""
        if self._pending and len(self._slow_workers) == len(self._workers) < self._concurrency:
            self._workers.add(start_background_task(self._work()))

    async def _work(self) -> None:
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                count = min(len(self._pending), self._max_batch_size)
                batch = [self._pending.popleft() for _ in range(count)]
                timer = loop.call_later(self._slow_after_seconds, self._mark_slow, worker)
                await self._execute(batch)
                timer.cancel()
                self._slow_workers.discard(worker)
        finally:
            # Before the task ends, so that the next item starts a new worker.
            self._slow_workers.discard(worker)
            self._workers.discard(worker)

    def _mark_slow(self, worker: asyncio.Task[None]) -> None:
        if worker in self._workers:
            self._slow_workers.add(worker)
            self._start_worker_if_free()

    async def _execute(self, batch: Sequence[_Pending[Item, Result]]) -> None:
        try:
            results = await self._execute_batch([pending.item for pending in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:
            if len(batch) == 1 or _is_database_unavailable(error):
                _fail(batch, error)
                return
            middle = len(batch) // 2
            await self._execute(batch[:middle])
            await self._execute(batch[middle:])
        else:
            for pending, result in pairs:
                if not pending.result.done():
                    pending.result.set_result(result)


def _is_database_unavailable(error: Exception) -> bool:
    """Whether no statement would succeed now. Otherwise one item may be the cause."""
    if isinstance(error, psycopg.InterfaceError):
        return True
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate == _QUERY_CANCELED:
        return False
    return error.sqlstate is None or error.sqlstate[:2] in _UNAVAILABLE_CLASSES


def _fail(batch: Sequence[_Pending[Item, Result]], error: Exception) -> None:
    for pending in batch:
        if not pending.result.done():
            pending.result.set_exception(error)
