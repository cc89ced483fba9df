"""A time-out whose deadline moves with every token."""

import asyncio
from types import TracebackType
from typing import Self

from apps.infrastructure.concurrency.deadline_timer import DeadlineTimer


class MovableTimeout(DeadlineTimer):
    """`asyncio.timeout_at` with a deadline that is cheap to `reschedule`.

    `with MovableTimeout(deadline) as timeout: await something`, in the event loop's time.

    Raises, at the end of the block: TimeoutError. Cancellation by anyone else passes through.
    """

    __slots__ = ("_cancelling", "_expired", "_task")

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a time-out needs a task to cancel")
        self._task = task
        self._cancelling = task.cancelling()
        self.reschedule(self.deadline)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        self.cancel()
        if task is None or not self._expired:
            return
        # More cancellations than before and ours: someone else wants the task to end, too.
        is_ours_alone = task.uncancel() <= self._cancelling
        if is_ours_alone and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def on_deadline(self) -> None:
        """Cancel the task, once."""
        if self._task is not None and not self._expired:
            self._expired = True
            self._task.cancel()
