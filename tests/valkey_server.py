"""A Valkey of a test's own, to be stopped and started again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import valkey
from tests.web_processes import free_port


class ValkeyServer:
    """A server that keeps its address, but nothing in memory, from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._cache = valkey.ValkeyConfig(folder, password="own")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._cache.url(self._port)

    def start(self) -> None:
        """Returns when it answers."""
        service = valkey.service(self._cache, self._port)
        self._process = subprocess.Popen(
            service.program.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        with self._process.stdin as settings:
            settings.write(service.program.stdin)
        for _ in range(200):
            if service.ready():
                return
            time.sleep(0.05)
        raise AssertionError("Valkey did not start")

    def stop(self) -> None:
        """Ends it at once: connections are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def start_valkey(folder: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
