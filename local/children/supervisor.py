"""Start child processes, wait until they are ready, restart and stop them.

Each service is a direct child in its own session: a Ctrl-C in the terminal reaches only the
supervisor, which stops the services in reverse order. Each child has a record in the run's
directory, so that a later run can stop what a killed supervisor left behind.
"""

import contextlib
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.children import processes, subreaper
from local.children.interrupts import Interrupts, StopRequested
from local.children.server_user import SystemUser
from local.errors import ChildFailed, PortTaken

WATCH_INTERVAL_SECONDS = 0.2
RESTART_WINDOW_SECONDS = 60.0
RESTART_PAUSE_SECONDS = 0.5
MAX_RESTART_PAUSE_SECONDS = 10.0
TAIL_LINES = 15
START_MARK = "--- started "
PORT_IN_USE_MESSAGES = ("address already in use", "couldn't bind")


@dataclass(frozen=True)
class Program:
    """A command line with its environment, directory and system user. `env=None`: our own."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: SystemUser | None = None
    stdin: bytes = b""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0


@dataclass(frozen=True)
class Service:
    """A program that keeps running.

    `restart`: started again whenever it exits, at once the first time, later after pauses that
    grow with the exits of the last minute.
    """

    program: Program
    ready: Callable[[], bool]
    start_seconds: float = 60.0
    restart: bool = False


@dataclass
class Child:
    """A running program. `service` is None for one that is expected to exit."""

    program: Program
    process: subprocess.Popen[bytes]
    service: Service | None = None
    exit_times: deque[float] = field(default_factory=deque)
    restart_at: float | None = None  # once it has exited

    def note_exit(self) -> None:
        """Decide when to start the program again, if it has exited since the last look."""
        if self.restart_at is not None:
            return
        now = time.monotonic()
        while self.exit_times and now - self.exit_times[0] > RESTART_WINDOW_SECONDS:
            self.exit_times.popleft()
        pause = RESTART_PAUSE_SECONDS * (2 ** len(self.exit_times) - 1)
        self.restart_at = now + min(pause, MAX_RESTART_PAUSE_SECONDS)
        self.exit_times.append(now)


class Supervisor:
    """Owns the children of one run. Records are in `home/run`, output in `home/logs`."""

    def __init__(self, *, home: Path, cwd: Path, interrupts: Interrupts) -> None:
        self.cwd = cwd
        self.logs = home / "logs"
        self.records = home / "run"
        self.interrupts = interrupts
        self.children: list[Child] = []
        for directory in (self.logs, self.records):
            directory.mkdir(mode=0o700, exist_ok=True)

    def start(self, service: Service) -> None:
        """Start a service and wait until it is ready.

        Raises PortTaken if it could not listen, and ChildFailed if it exits or is not ready in
        time. It is stopped then.
        """
        self.wait_ready(self.launch(service))

    def launch(self, service: Service) -> Child:
        """Start a service without waiting, so that several can start in parallel."""
        return self._spawn(service.program, service)

    def wait_ready(self, child: Child) -> None:
        """Wait until a launched service is ready. Raises as `start` does."""
        service, name = child.service, child.program.name
        assert service is not None  # noqa: S101
        deadline = time.monotonic() + service.start_seconds
        while child.process.poll() is None and time.monotonic() < deadline:
            if service.ready():
                return
            time.sleep(processes.POLL_SECONDS)
        if child.process.poll() is None:
            problem = f"was not ready after {service.start_seconds:.0f} s"
        else:
            problem = _describe_exit(child.process)
        self._stop_child(child)
        raise self._build_error(name, problem)

    def run(self, program: Program) -> str:
        """Run a program to its end and return its standard output. Standard error is logged.

        Raises ChildFailed if its exit code is not 0; its output is in its log then.
        """
        child = self._spawn(program, stdout=subprocess.PIPE)
        try:
            output, _ = child.process.communicate()
        finally:
            self._stop_child(child)
        text = output.decode(errors="replace")
        if child.process.returncode != 0:
            with self.log_path(program.name).open("a") as log:
                log.write(text)
            raise self._build_error(program.name, _describe_exit(child.process))
        return text

    def watch(self, on_restart: Callable[[str], None]) -> None:
        """Restart dead services until a signal (StopRequested).

        Raises ChildFailed when a service exits that is not to be restarted.
        """
        while True:
            for name in self.restart_dead():
                on_restart(name)
            subreaper.reap(self.pids())
            time.sleep(WATCH_INTERVAL_SECONDS)

    def restart_dead(self) -> list[str]:
        """Restart the dead services whose pause is over, and return their names.

        Raises ChildFailed for one that is not to be restarted.
        """
        dead = [child for child in self.children if child.process.poll() is not None]
        return [child.program.name for child in dead if self._restart_if_due(child)]

    def stop(self) -> None:
        """Stop every child, last started first. A second Ctrl-C kills the remaining ones."""
        self.interrupts.mark_stopping()
        try:
            while self.children:
                self._stop_child(self.children[-1])
        except StopRequested:
            for child in self.children:
                processes.kill_group(child.process.pid)
            while self.children:
                self._stop_child(self.children[-1])

    def pids(self) -> list[int]:
        return [child.process.pid for child in self.children]

    def output(self, name: str) -> str:
        """Return what the program has written to its log since its last start."""
        text = self.log_path(name).read_text(errors="replace").rpartition(START_MARK)[2]
        return text.partition("\n")[2]

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _spawn(
        self, program: Program, service: Service | None = None, stdout: int | None = None
    ) -> Child:
        with self.interrupts.postponed():
            child = Child(program, self._popen(program, stdout), service)
            self.children.append(child)
        self._write_stdin(child)
        return child

    def _popen(self, program: Program, stdout: int | None = None) -> subprocess.Popen[bytes]:
        account = program.user
        with self.log_path(program.name).open("ab") as log:
            log.write(f"{START_MARK}{time.strftime('%Y-%m-%d %H:%M:%S')} ---\n".encode())
            log.flush()
            process = subprocess.Popen(
                list(program.command),
                env=None if program.env is None else dict(program.env),
                cwd=program.cwd or self.cwd,
                stdin=subprocess.PIPE if program.stdin else subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        stop = int(program.stop_signal)
        processes.save_record(
            self.records, processes.create_record(program.name, process.pid, stop_signal=stop)
        )
        return process

    @staticmethod
    def _write_stdin(child: Child) -> None:
        pipe, child.process.stdin = child.process.stdin, None
        if pipe is not None:
            # The caller that waits for the program notices that it exited before reading.
            with contextlib.suppress(BrokenPipeError), pipe:
                pipe.write(child.program.stdin)

    def _restart_if_due(self, child: Child) -> bool:
        processes.kill_group(child.process.pid)
        if child.service is None or not child.service.restart:
            self._remove(child)
            raise self._build_error(child.program.name, _describe_exit(child.process))
        child.note_exit()
        if child.restart_at is None or time.monotonic() < child.restart_at:
            return False
        with self.interrupts.postponed():
            child.process = self._popen(child.program)
            child.restart_at = None
        self._write_stdin(child)
        return True

    def _stop_child(self, child: Child) -> None:
        """Stop a child, with SIGKILL after `stop_seconds`, and kill its process group."""
        if child.process.poll() is None:
            processes.send_signal(child.process.pid, child.program.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=child.program.stop_seconds)
        processes.kill_group(child.process.pid)
        child.process.wait()
        self._remove(child)

    def _remove(self, child: Child) -> None:
        (self.records / f"{child.program.name}.json").unlink(missing_ok=True)
        self.children.remove(child)

    def _build_error(self, name: str, problem: str) -> ChildFailed:
        tail = "\n".join(self.output(name).splitlines()[-TAIL_LINES:])
        is_port_taken = any(message in tail.lower() for message in PORT_IN_USE_MESSAGES)
        error_class = PortTaken if is_port_taken else ChildFailed
        return error_class(f"{name} {problem}. Its log: {self.log_path(name)}", tail)


def _describe_exit(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
