"""Identify processes, and record children so that a later run can stop those of a killed run.

Pids are reused. A process is identified by its pid, its start time and the boot of the machine.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class ProcessRecord:
    """A started child. `own_group`: it leads a process group that is stopped with it."""

    name: str
    pid: int
    start_time: str
    boot_id: str
    own_group: bool
    stop_signal: int


def boot_id() -> str:
    """Return an id that changes with every boot, or an empty string if there is none."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
    """Return a process's start time in the system's notation, or None if it does not run.

    A zombie does not count as running.
    """
    if (PROC / "self/stat").exists():
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else stat[19]
    result = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True
    )
    state, _, since = result.stdout.strip().partition(" ")
    return since.strip() if since and not state.startswith("Z") else None


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on: state, ppid, pgrp, session, …"""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def create_record(
    name: str, pid: int, *, own_group: bool = True, stop_signal: int = signal.SIGTERM
) -> ProcessRecord:
    """Return the record of a process that has just been started."""
    return ProcessRecord(
        name=name,
        pid=pid,
        start_time=start_time(pid) or "",
        boot_id=boot_id(),
        own_group=own_group,
        stop_signal=stop_signal,
    )


def save_record(directory: Path, entry: ProcessRecord) -> Path:
    """Write a record atomically and return its path."""
    path = directory / f"{entry.name}.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(entry)))
    return temporary.replace(path)


def load_records(directory: Path) -> dict[Path, ProcessRecord]:
    """Return the records of a directory by path. Unreadable ones are deleted."""
    found: dict[Path, ProcessRecord] = {}
    for path in sorted(directory.glob("*.json")):
        try:
            found[path] = ProcessRecord(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)
    return found


def is_alive(entry: ProcessRecord) -> bool:
    """Return True if the recorded process, not another one with its pid, still runs."""
    if not entry.start_time or entry.boot_id != boot_id():
        return False
    return start_time(entry.pid) == entry.start_time


def orphaned_group_members(entry: ProcessRecord, home: Path) -> list[int]:
    """Return the pids of the record's process group if its leader is gone.

    A group's number is not reused while the group exists. So a group without a leader, with that
    number, in the session of that number and working below `home`, belonged to our child.
    """
    if not entry.own_group or entry.boot_id != boot_id() or _stat(entry.pid) is not None:
        return []
    return [pid for pid in _all_pids() if _in_group(pid, entry.pid) and _is_working_in(pid, home)]


def child_pids(parent: int) -> list[int]:
    """Return the pids of a process's children, zombies included (Linux)."""
    return [pid for pid in _all_pids() if (stat := _stat(pid)) and stat[1] == str(parent)]


def _all_pids() -> list[int]:
    return [int(path.name) for path in PROC.glob("[0-9]*")]


def _in_group(pid: int, leader: int) -> bool:
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX" and stat[2:4] == [str(leader)] * 2


def _is_working_in(pid: int, home: Path) -> bool:
    try:
        return (PROC / str(pid) / "cwd").resolve().is_relative_to(home.resolve())
    except OSError:
        return False


def send_signal(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition is true or the time is over; return whether it is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def stop_orphans(directory: Path, *, home: Path, seconds: float = 10.0) -> list[str]:
    """Stop every recorded process that still runs, with its group, and delete the records.

    Returns the names of the stopped ones. Call it only while holding the lock of the run that the
    records belong to.
    """
    entries = load_records(directory)
    living = [entry for entry in entries.values() if is_alive(entry)]
    for entry in living:
        send_signal(entry.pid, entry.stop_signal)
    stopped = [entry.name for entry in living]
    for entry in living:
        if not wait_until(lambda entry=entry: not is_alive(entry), seconds):  # type: ignore[misc]
            kill_group(entry.pid) if entry.own_group else send_signal(entry.pid, signal.SIGKILL)
            wait_until(lambda entry=entry: not is_alive(entry), seconds)  # type: ignore[misc]
    for path, entry in entries.items():
        left = orphaned_group_members(entry, home)
        for pid in left:
            send_signal(pid, signal.SIGKILL)
        if left and entry.name not in stopped:
            stopped.append(entry.name)
        path.unlink(missing_ok=True)
    return stopped
