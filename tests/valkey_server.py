"""A Valkey server that a test may stop and restart."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.servers import valkey
from tests.web_processes import free_port


class ValkeyServer:
    """A server that keeps its address, but not its data, when it is restarted."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._config = valkey.ValkeyConfig(folder, password="own")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._config.url(self._port)

    def start(self) -> None:
        """Start the server and wait until it responds."""
        service = valkey.service(self._config, self._port)
        self._process = subprocess.Popen(
            service.program.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(service.program.stdin)
        for _ in range(200):
            if service.ready():
                return
            time.sleep(0.05)
        raise AssertionError("Valkey did not start")

    def stop(self) -> None:
        """Kill the server; its connections are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def start_valkey(folder: Path) -> Iterator[ValkeyServer]:
    """Start a server that is stopped afterwards."""
    server = ValkeyServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
