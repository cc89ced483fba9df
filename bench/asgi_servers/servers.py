"""Start, observe and stop a server under test."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

APP = "bench.asgi_servers.app:application"


@dataclass(frozen=True)
class ServerVariant:
    """A server with its options, and the names of its command-line options."""

    name: str
    module: str
    options: tuple[str, ...]
    stop_option: str | None = None
    workers: bool = True

    def command(self, *, python: str, port: int, extra: tuple[str, ...]) -> list[str]:
        host = ("-b", "127.0.0.1", "-p") if self.module == "daphne" else ("--host", "127.0.0.1")
        at = (*host, str(port)) if self.module == "daphne" else (*host, "--port", str(port))
        return [python, "-m", self.module, *at, *self.options, *extra, APP]


GRANIAN = ("--interface", "asgi", "--http", "1", "--no-access-log", "--log-level", "warning")
UVICORN = ("--no-access-log", "--log-level", "warning", "--http", "httptools")


def granian(name: str, *options: str) -> ServerVariant:
    return ServerVariant(name, "granian", GRANIAN + options, "--workers-kill-timeout")


def uvicorn(name: str, *options: str) -> ServerVariant:
    return ServerVariant(name, "uvicorn", UVICORN + options, "--timeout-graceful-shutdown")


VARIANTS = [
    granian("granian st uvloop", "--runtime-mode", "st", "--loop", "uvloop"),
    granian("granian st asyncio", "--runtime-mode", "st", "--loop", "asyncio"),
    granian("granian mt uvloop", "--runtime-mode", "mt", "--loop", "uvloop"),
    granian(
        "granian st flush", "--runtime-mode", "st", "--loop", "uvloop", "--http1-pipeline-flush"
    ),
    granian("granian st rust", "--runtime-mode", "st", "--loop", "uvloop", "--task-impl", "rust"),
    uvicorn("uvicorn uvloop", "--loop", "uvloop"),
    uvicorn("uvicorn asyncio", "--loop", "asyncio"),
    ServerVariant("daphne", "daphne", ("-v", "0"), workers=False),
]


class RunningServer:
    """A started server: its URL, its process tree and the events of its application."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, events: Path) -> None:
        self.process = process
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self._events = events
        self._known: dict[int, psutil.Process] = {}

    def tree(self) -> list[psutil.Process]:
        """Return the server's processes, as the same objects each time, to compare CPU times."""
        top = psutil.Process(self.process.pid)
        for one in (top, *top.children(recursive=True)):
            self._known.setdefault(one.pid, one)
        return [one for one in self._known.values() if one.is_running()]

    def cpu_seconds(self) -> float:
        return sum(t.user + t.system for t in (one.cpu_times() for one in self.tree()))

    def memory_kib(self) -> float:
        """Return the memory that is not shared with other processes."""
        return sum(float(one.memory_full_info().uss) for one in self.tree()) / 1024

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        lines = self._events.read_text().splitlines() if self._events.exists() else []
        found = [json.loads(line) for line in lines]
        return [one for one in found if kind is None or one["event"] == kind]

    async def wait_for(self, kind: str, count: int, seconds: float) -> list[dict[str, Any]]:
        """Wait for ``count`` events of a kind and return them, or those after the timeout."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if len(found := self.events(kind)) >= count:
                return found
            await asyncio.sleep(0.02)
        return self.events(kind)

    async def wait_exit(self, seconds: float) -> float | None:
        """Wait for the exit and return its time, or None after ``seconds``."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                return time.monotonic()
            await asyncio.sleep(0.005)
        return None


@contextlib.asynccontextmanager
async def run_server(
    variant: ServerVariant,
    *,
    python: str,
    extra: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
) -> AsyncIterator[RunningServer]:
    """Run a server during the block."""
    with tempfile.TemporaryDirectory() as folder:
        events, port = Path(folder) / "events", free_port()
        command = variant.command(python=python, port=port, extra=extra)
        server = RunningServer(
            start_process(command, {"BENCH_EVENTS": str(events), **(env or {})}), port, events
        )
        try:
            await wait_until_listening(server)
            yield server
        finally:
            stop_server(server)


def start_process(command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the server in its own process group, so that a group signal does not reach us."""
    return subprocess.Popen(
        command,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def wait_until_listening(server: RunningServer) -> None:
    """Wait until the server accepts connections. Raises RuntimeError if it does not start."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit and server.process.poll() is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError(f"the server did not start: {server.process.args!r}")


def stop_server(server: RunningServer) -> None:
    """Stop the server and kill its remaining processes."""
    if server.process.poll() is None:
        processes = server.tree()
        server.process.send_signal(signal.SIGTERM)
        psutil.wait_procs(processes, timeout=2)
    for one in list(server._known.values()):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    server.process.wait(timeout=5)
