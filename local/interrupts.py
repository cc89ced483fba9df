"""SIGINT, SIGTERM and SIGHUP as one exception in the main thread."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_KEYPRESS_SECONDS = 0.5


class StopRequested(BaseException):
    """Someone asked this process to stop; `signum` says how."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that this signal ended."""
        return 128 + self.signum


class Interrupts:
    """Raises StopRequested for the first signal, and afterwards for one more Ctrl-C.

    The first signal starts an orderly stop, which must not be disturbed: `make` and a closing
    terminal both repeat signals. A later SIGINT is a person who does not want to wait.
    """

    def __init__(self) -> None:
        self._stopping_at: float | None = None
        self._hurried = False
        self._postponed = False
        self._pending: int | None = None

    def install(self) -> None:
        for signum in HANDLED:
            if signum == signal.SIGHUP and signal.getsignal(signum) == signal.SIG_IGN:
                continue  # started with nohup
            signal.signal(signum, self._handle)

    def mark_stopping(self) -> None:
        """From now on only a Ctrl-C interrupts."""
        if self._stopping_at is None:
            self._stopping_at = time.monotonic()

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Postpone signals over a few lines that must not be torn apart."""
        self._postponed = True
        try:
            yield
        finally:
            self._postponed = False
        if self._pending is not None:
            signum, self._pending = self._pending, None
            self._handle(signum, None)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._postponed:
            self._pending = signum
            return
        since = self._stopping_at
        if since is not None:
            repeated = time.monotonic() - since < SAME_KEYPRESS_SECONDS
            if repeated or self._hurried or signum != signal.SIGINT:
                return
            self._hurried = True
        self.mark_stopping()
        raise StopRequested(signum)
