"""The web server: granian, with processes that share one listening socket and replace each other.

`python -m config.server --port 8000 --workers 2`

SIGTERM to this process stops everything: running turns end, new requests get 503 meanwhile. SIGTERM
to one web process replaces it: it lets go of the socket and ends its turns, while the others and a
new process serve what comes (decision 0028). SIGHUP replaces all of them, one after the other. A
process that dies is replaced, however often; the others go on. If none has ever been ready when one
dies, the application cannot be started, and the server ends.
"""

import argparse
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import logger
from granian.server.mp import MPServer

from apps.infrastructure.limits.connections import detect_dead_peers
from apps.infrastructure.web import handover

BACKLOG = 2048
MAX_CONNECTIONS = 8192
"""Of one web process. Idle ones count, and those that have not sent a request yet."""
HEADER_SECONDS = 30
"""How long a connection may take to send a request's headers, or to begin the next request."""
MAX_HEADER_BYTES = 64 * 1024
"""Also what is held of a response that its client does not read."""
LOOK_SECONDS = 0.1
RESPAWN_PAUSE_SECONDS = 0.5
MAX_RESPAWN_PAUSE_SECONDS = 10.0
RESPAWN_WINDOW_SECONDS = 60.0
PR_SET_PDEATHSIG = 1

Worker = Any
"""granian's WorkerProcess, which has no types."""


def load_application(parent: int) -> Callable[..., Any]:
    """Import the application, in a web process."""
    # Until the application handles these signals they end the process: the parent's handlers,
    # which it has inherited, would ignore them.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # is meant for the parent
    if sys.platform == "linux":
        # Without the parent nothing would replace or stop this process.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    from config.asgi import application

    loaded: Callable[..., Any] = application
    return loaded


class Pauses:
    """How long to wait before a process is replaced: longer the more often it died lately."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()

    def next_pause(self) -> float:
        now = time.monotonic()
        while self._deaths and now - self._deaths[0] > RESPAWN_WINDOW_SECONDS:
            self._deaths.popleft()
        self._deaths.append(now)
        pause = RESPAWN_PAUSE_SECONDS * (2 ** (len(self._deaths) - 1) - 1)
        return float(min(pause, MAX_RESPAWN_PAUSE_SECONDS))


class Server(MPServer):
    """granian's server with our rules of who is replaced when.

    granian itself ends all processes when one dies twice within seconds, and gives each a socket of
    its own, so that what waits for a stopping or frozen process cannot be served by another.
    """

    def _init_shared_socket(self) -> None:
        family = socket.AF_INET6 if ":" in self.bind_addr else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        detect_dead_peers(listener)
        listener.bind((self.bind_addr, self.bind_port))
        listener.listen(self.backlog)
        holder: Any = SocketHolder  # its stub is of another platform
        self._shd: Any = holder(listener.fileno(), False, self.backlog)
        self._ssp = self._sso = None
        self._handover = handover.Handover(listener)
        handover.install(self._handover)
        self._pauses = [Pauses() for _ in range(self.workers)]
        self._respawn_at: dict[int, float] = {}
        self._ending: dict[Worker, float] = {}  # and when each is killed
        self._to_replace: deque[int] = deque()
        self._replaced: Worker | None = None  # stops once its successor is ready
        self._was_ready = self._failed = False

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        def spawn(index: int) -> None:
            worker: Worker = self._spawn_worker(index, spawn_target, target_loader)
            worker.start()
            self.wrks[index] = worker

        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(LOOK_SECONDS)
            self.main_loop_interrupt.clear()
            for what, pid in self._handover.read_messages():
                self._on_message(what, pid, spawn)
            self._respawn_dead(spawn)
            self._replace_next(spawn)
            self._kill_overdue()

    def _on_message(self, what: str, pid: int, spawn: Callable[[int], None]) -> None:
        self._was_ready = True
        workers: list[Worker] = self.wrks
        for index, worker in enumerate(workers):
            if worker._id() != pid:
                continue
            if what == "S":  # told to stop by somebody else
                logger.info(f"worker-{index + 1} stops, and is replaced")
                self._let_end(worker)
                spawn(index)
            elif self._replaced is not None and self._replaced.idx == index:
                self._replaced.terminate()
                self._let_end(self._replaced)
                self._replaced = None

    def _let_end(self, worker: Worker) -> None:
        worker.interrupt_by_parent = True
        self._ending[worker] = time.monotonic() + (self.workers_kill_timeout or 60)

    def _respawn_dead(self, spawn: Callable[[int], None]) -> None:
        now = time.monotonic()
        dead, self.interrupt_children = self.interrupt_children, []
        if dead and not self._was_ready:
            self.interrupt_signal = self._failed = True
            return
        for index in dead:
            if index not in self._respawn_at and not self.wrks[index].is_alive():
                self._respawn_at[index] = now + self._pauses[index].next_pause()
        for index, due in list(self._respawn_at.items()):
            if now >= due:
                del self._respawn_at[index]
                spawn(index)

    def _replace_next(self, spawn: Callable[[int], None]) -> None:
        if self.reload_signal:
            self.reload_signal = False
            self._to_replace = deque(range(self.workers))
        if self._to_replace and self._replaced is None:
            index = self._to_replace.popleft()
            if index not in self._respawn_at:
                self._replaced = self.wrks[index]
                self._replaced.interrupt_by_parent = True
                spawn(index)

    def _kill_overdue(self) -> None:
        for worker, kill_at in list(self._ending.items()):
            if not worker.is_alive():
                worker.join()
                del self._ending[worker]
            elif time.monotonic() > kill_at:
                logger.warning(f"Killing worker-{worker.idx + 1}, which did not stop in time")
                worker.kill()

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop everything; wait for what is being replaced, too."""
        self._handover.stop_everything()
        self.wrks += [*self._ending, *([self._replaced] if self._replaced else [])]
        self.interrupt_children = []
        super().shutdown(exit_code or int(self._failed))  # type: ignore[no-untyped-call]


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m config.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-timeout", type=int, default=60)
    arguments = parser.parse_args()
    multiprocessing.set_start_method("fork")
    server = Server(
        "config.asgi:application",
        address=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.mt,
        loop=Loops.uvloop,
        backlog=BACKLOG,
        backpressure=MAX_CONNECTIONS,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=MAX_HEADER_BYTES
        ),
        workers_kill_timeout=arguments.kill_timeout,
        respawn_failed_workers=True,
    )
    parent = os.getpid()
    server.serve(target_loader=lambda: load_application(parent), wrap_loader=False)


if __name__ == "__main__":
    main()
