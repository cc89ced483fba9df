"""Print one line per step to the terminal, with its outcome and duration."""

import os
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

TITLE_WIDTH = 24
DETAIL_WIDTH = 30
STILL_RUNNING_SECONDS = 20.0
FRAME_SECONDS = 0.1
STDERR_COMMANDS = {"test", "run"}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Console:
    """Writes to a stream. On a terminal, the line of the running step is animated."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_interactive = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.has_colour = self.is_interactive and not os.environ.get("NO_COLOR")
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def colorize(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour else text

    def bold(self, text: str) -> str:
        return self.colorize(text, "1")

    def dim(self, text: str) -> str:
        return self.colorize(text, "2")

    def print_line(self, text: str = "") -> None:
        self.write(text + "\n")

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (BrokenPipeError, OSError):
            # The reader is gone (a closed terminal, `| head`); keep working without output.
            self.stream = open(os.devnull, "w")  # noqa: SIM115, PTH123

    def step(self, title: str, detail: str = "") -> "Step":
        """Return a context manager that prints ✓ at its end, or ✗ if the body raises."""
        return Step(self, title, detail)


class Step:
    """A running step. The body may change `detail` at any time."""

    def __init__(self, console: Console, title: str, detail: str) -> None:
        self.title = title
        self.detail = detail
        self._console = console
        self._started_at = time.monotonic()
        self._done = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started_at

    def __enter__(self) -> "Step":
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._ticker.join()
        mark = (
            self._console.colorize("✓", "32") if kind is None else self._console.colorize("✗", "31")
        )
        self._console.write(f"{self._erase()}{self._render(mark)}\n")

    def _tick(self) -> None:
        if self._console.is_interactive:
            frame = 0
            while not self._done.wait(FRAME_SECONDS):
                mark = self._console.colorize(SPINNER[frame % len(SPINNER)], "36")
                self._console.write(f"{self._erase()}{self._render(mark)}")
                frame += 1
        else:
            while not self._done.wait(STILL_RUNNING_SECONDS):
                self._console.write(f"{self._render('…')}\n")

    def _erase(self) -> str:
        return "\r\x1b[2K" if self._console.is_interactive else ""

    def _render(self, mark: str) -> str:
        duration = self._console.dim(f"{self.seconds:5.1f} s")
        detail = self.detail[:DETAIL_WIDTH]
        return f"{mark} {self.title:<{TITLE_WIDTH}} {detail:<{DETAIL_WIDTH}} {duration}"


def console_for(command: str) -> Console:
    """Return a console on stdout, or on stderr for commands that run another program."""
    return Console(sys.stderr if command in STDERR_COMMANDS else sys.stdout)
