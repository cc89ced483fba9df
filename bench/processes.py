"""Processes of a benchmark: started, waited for, stopped, and what they have used."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 0.2


@contextmanager
def run_process(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the project's folder, its output in a file; stopped afterwards."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=environment or os.environ, stdout=output, stderr=output
        ) as started,
    ):
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(timeout=10)
            except subprocess.TimeoutExpired:
                started.kill()


def wait_until_listening(started: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Raises RuntimeError, with what the program said, when it ends instead, or takes minutes."""
    for _ in range(1800):
        if started.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1),
        ):
            return
        time.sleep(0.1)
    raise RuntimeError(f"Nothing listens on {port}:\n{log.read_text()[-3000:]}")


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its children have used so far."""
    times = [one.cpu_times() for one in _process_tree(pid)]
    return sum(one.user + one.system for one in times)


def memory_kib(pid: int) -> float:
    """Resident memory of a process and its children."""
    return sum(one.memory_info().rss for one in _process_tree(pid)) / 1024


def _process_tree(pid: int) -> list[psutil.Process]:
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


class PeakMemory:
    """The most memory that a process and its children have had inside the `with`, in KiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.kib = 0.0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.kib = max(self.kib, memory_kib(self._pid))
