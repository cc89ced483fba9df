"""Run the processes of a benchmark and measure their CPU and memory."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.servers import ports
from local.servers.web import answers_ok, base_url, web_command

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 0.2
STOP_SECONDS = 20
START_SECONDS = 180
NO_CEILINGS = {
    "MAX_API_REQUESTS_PER_HOUR": "1000000",
    "MAX_CHAT_CHARACTERS_PER_HOUR": "1000000000000",
    "MAX_RUNNING_TURNS": "1000000",
    "MAX_TURNS_PER_MINUTE": "1000000",
}
"""A benchmark is one workspace that does the work of many."""


@contextmanager
def run_process(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the project's directory with its output in `log`; stop it afterwards."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=environment or os.environ, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass(frozen=True)
class WebServer:
    """A running Parley web server."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return base_url(self.port)


@contextmanager
def run_web_server(
    directory: Path, *, settings_module: str, workers: int = 1, database_url: str | None = None
) -> Iterator[WebServer]:
    """Run a Parley web server and wait until it is ready. Its log is in `directory`."""
    port = free_port()
    log = directory / f"web-{port}.log"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings_module,
        "DATABASE_URL": database_url or os.environ["DATABASE_URL"],
        **NO_CEILINGS,
    }
    with run_process(web_command(port=port, workers=workers), log, environment) as process:
        ready_url = f"{base_url(port)}/readyz"
        _wait_until(lambda: answers_ok(ready_url, timeout=5), process, log)
        yield WebServer(port, process.pid)


def free_port() -> int:
    return next(ports.random_free_ports())


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the process accepts connections.

    Raises RuntimeError, with the end of its log, if it exits or takes more than START_SECONDS.
    """
    _wait_until(lambda: _is_listening(port), process, log)


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise RuntimeError(f"The process did not start:\n{log.read_text()[-3000:]}")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process and its children have used."""
    times = [one.cpu_times() for one in _process_tree(pid)]
    return sum(one.user + one.system for one in times)


def memory_kib(pid: int) -> float:
    """Return the resident memory of a process and its children."""
    return sum(one.memory_info().rss for one in _process_tree(pid)) / 1024


def _process_tree(pid: int) -> list[psutil.Process]:
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


class PeakMemory:
    """Sample the peak memory of a process and its children, in KiB, during the `with` block."""

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
