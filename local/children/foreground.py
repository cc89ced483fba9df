"""Run a command in the foreground while the supervisor's servers run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from local.children import processes, subreaper
from local.children.interrupts import StopRequested
from local.children.supervisor import Supervisor

STOP_SECONDS = 20.0
WAIT_SECONDS = 0.05
RECORD_NAME = "command"


def run_command(supervisor: Supervisor, command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run the command to its end and return its exit code as a shell reports it.

    With a terminal, the command stays in our process group, so that Ctrl-C and a debugger's prompt
    work. Otherwise it leads its own process group and we forward signals to it.
    """
    has_terminal = _is_terminal_foreground()
    with supervisor.interrupts.postponed():
        process = subprocess.Popen(
            list(command), env=dict(env), cwd=supervisor.cwd, start_new_session=not has_terminal
        )
        entry = processes.create_record(
            RECORD_NAME, process.pid, own_group=not has_terminal, stop_signal=signal.SIGINT
        )
        path = processes.save_record(supervisor.records, entry)
    try:
        code = _wait(process, supervisor)
    except StopRequested as stop:
        supervisor.interrupts.mark_stopping()
        if not (has_terminal and stop.signum == signal.SIGINT):
            processes.send_signal(process.pid, signal.SIGINT)
        _wait_or_kill(process)
        raise
    finally:
        if not has_terminal:
            processes.kill_group(process.pid)
        path.unlink(missing_ok=True)
    return code if code >= 0 else 128 - code


def _wait(process: subprocess.Popen[bytes], supervisor: Supervisor) -> int:
    while (code := process.poll()) is None:
        subreaper.reap([process.pid, *supervisor.pids()])
        time.sleep(WAIT_SECONDS)
    return code


def _is_terminal_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=STOP_SECONDS)
    except (subprocess.TimeoutExpired, StopRequested):
        process.kill()
        process.wait()
