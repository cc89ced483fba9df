"""Turn SIGINT, SIGTERM and SIGHUP into one exception in the main thread."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_KEYPRESS_SECONDS = 0.5


class StopRequested(BaseException):
    """Raised when this process receives a stop signal, `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """The code that a shell reports for a process killed by this signal."""
        return 128 + self.signum


class Interrupts:
    """Signal handlers that raise StopRequested for the first signal and for one later Ctrl-C.

    The first signal starts an orderly stop. `make` and a closing terminal both repeat the signal,
    so repeats are ignored; a SIGINT after SAME_KEYPRESS_SECONDS is a person who will not wait.
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
        """Ignore every signal but a Ctrl-C from now on."""
        if self._stopping_at is None:
            self._stopping_at = time.monotonic()

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Postpone signals until the block has ended."""
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
        stopping_at = self._stopping_at
        if stopping_at is not None:
            repeated = time.monotonic() - stopping_at < SAME_KEYPRESS_SECONDS
            if repeated or self._hurried or signum != signal.SIGINT:
                return
            self._hurried = True
        self.mark_stopping()
        raise StopRequested(signum)
