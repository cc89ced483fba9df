"""The servers of a run: started, restarted and stopped by the supervisor of `make demo`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import psutil

from local.children import processes, subreaper
from local.children.interrupts import Interrupts
from local.children.supervisor import Program, Supervisor
from local.commands.throwaway import throwaway_servers
from local.console import Console
from local.servers import ports, web

WEB_NAMES = ("web-one", "web-two")
SETTINGS = "tests.chaos.settings"
READY_SECONDS = 180.0


class Stack:
    """Two web servers of one process each, a worker, the scheduler, PostgreSQL and Valkey."""

    def __init__(self, supervisor: Supervisor, environment: dict[str, str]) -> None:
        self.environment = environment
        self.web_ports = dict.fromkeys(WEB_NAMES, 0)
        self._supervisor = supervisor
        self._lock = threading.Lock()  # the supervisor is not for several threads
        self._freezing = threading.Lock()
        self._frozen: list[psutil.Process] = []
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    @property
    def web_urls(self) -> list[str]:
        return [web.base_url(port) for port in self.web_ports.values()]

    def start(self) -> None:
        """Create the tables, start Parley's processes and wait until they serve."""
        self._supervisor.run(
            Program("migrate", web.manage_command("migrate", "--no-input"), env=self.environment)
        )
        free = ports.random_free_ports()
        children = []
        for name in WEB_NAMES:
            port = self.web_ports[name] = next(free)
            service = web.web_service(port, 1, self.environment)
            service = replace(service, program=replace(service.program, name=name))
            children.append(self._supervisor.launch(service))
        worker = web.worker_service(lambda: self._supervisor.output("worker"), self.environment)
        schedule = self._supervisor.logs.parent / "beat-schedule"
        children.append(self._supervisor.launch(worker))
        children.append(self._supervisor.launch(web.beat_service(schedule, self.environment)))
        for child in children:
            self._supervisor.wait_ready(child)
        self._watcher.start()

    def stop(self) -> None:
        self.thaw()
        self._stopped.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def kill(self, target: str) -> None:
        """Kill a process; its supervisor or server starts another."""
        for process in self._processes(target):
            processes.send_signal(process.pid, signal.SIGKILL)

    def terminate(self, target: str) -> None:
        """Ask a process to stop, as a deployment does; another takes its place."""
        for process in self._processes(target):
            processes.send_signal(process.pid, signal.SIGTERM)

    def freeze(self, target: str) -> None:
        """Stop the process, and those that it has started, without ending anything."""
        for process in self._processes(target):
            # Whoever thaws meanwhile must not come between the two.
            with self._freezing, suppress(psutil.NoSuchProcess):
                for each in [process, *process.children(recursive=True)]:
                    self._frozen.append(each)
                    each.suspend()

    def thaw(self) -> None:
        """Let everything that was frozen go on."""
        with self._freezing:
            frozen, self._frozen = self._frozen, []
            for each in frozen:
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    def wait_until_ready(self) -> None:
        """Wait until both web servers say that all that they need is there."""
        for url in self.web_urls:
            is_ready = partial(web.answers_ok, f"{url}/readyz", timeout=5)
            if not processes.wait_until(is_ready, READY_SECONDS):
                raise TimeoutError(f"{url} is not ready again. Logs: {self._supervisor.logs}")

    def log_texts(self) -> Iterator[tuple[str, str]]:
        """The logs of Parley's processes, by name."""
        for path in sorted(self._supervisor.logs.glob("*.log")):
            yield path.stem, path.read_text(errors="replace")

    def _processes(self, target: str) -> list[psutil.Process]:
        """The processes of a target; of a web server its web process, not the parent."""
        with self._lock:
            for child in self._supervisor.children:
                if child.program.name == target:
                    with suppress(psutil.NoSuchProcess):
                        process = psutil.Process(child.process.pid)
                        return process.children() if target in WEB_NAMES else [process]
        return []

    def _watch(self) -> None:
        while not self._stopped.wait(0.1):
            with self._lock:
                self._supervisor.restart_dead()
                subreaper.reap(self._supervisor.pids())


@contextmanager
def run_stack() -> Iterator[Stack]:
    """Start everything in a directory of its own, and remove it afterwards."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    interrupts = Interrupts()
    interrupts.install()
    subreaper.become_subreaper()
    # Durable, for a killed PostgreSQL must keep what it has said is committed.
    with throwaway_servers(Console(sys.stderr), interrupts, durable=True) as (
        supervisor,
        environment,
    ):
        stack = Stack(supervisor, {**environment, "DJANGO_SETTINGS_MODULE": SETTINGS})
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
