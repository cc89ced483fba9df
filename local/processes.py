"""Which process is which, and the records by which a later run knows an earlier run's children.

A pid alone names nobody: numbers are used again. A process is known by its pid and the moment it
started, within one boot of the machine.
"""

from __future__ import annotations

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
    """One started child. `own_group`: it leads a process group, which is ended with it."""

    name: str
    pid: int
    start_time: str
    boot_id: str
    own_group: bool
    stop_signal: int


def boot_id() -> str:
    """Changes with every boot; empty where the system does not say."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
    """The moment a living process started, in the system's own notation; None if it is gone.

    A zombie (ended, not yet waited for) counts as gone.
    """
    if (PROC / "self/stat").exists():
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else stat[19]
    shown = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True
    )
    state, _, since = shown.stdout.strip().partition(" ")
    return since.strip() if since and not state.startswith("Z") else None


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on: state, ppid, pgrp, session, …, start."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def create_record(
    name: str, pid: int, *, own_group: bool = True, stop_signal: int = signal.SIGTERM
) -> ProcessRecord:
    """Describe a process that has just been started."""
    return ProcessRecord(
        name=name,
        pid=pid,
        start_time=start_time(pid) or "",
        boot_id=boot_id(),
        own_group=own_group,
        stop_signal=stop_signal,
    )


def save_record(folder: Path, entry: ProcessRecord) -> Path:
    """Write a record so that a reader sees all of it or nothing."""
    path = folder / f"{entry.name}.json"
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(entry)))
    return draft.replace(path)


def load_records(folder: Path) -> dict[Path, ProcessRecord]:
    """Every readable record of a folder; unreadable ones are removed."""
    found: dict[Path, ProcessRecord] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path] = ProcessRecord(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)
    return found


def is_alive(entry: ProcessRecord) -> bool:
    """Whether the very process of this record still runs."""
    if not entry.start_time or entry.boot_id != boot_id():
        return False
    return start_time(entry.pid) == entry.start_time


def orphaned_group_members(entry: ProcessRecord, home: Path) -> list[int]:
    """Members of the record's group that outlived their leader and work inside `home`.

    A group keeps its number from being given to a new process, so a leaderless group of that
    number, in the session of that number, in our folder, is what our child left.
    """
    if not entry.own_group or entry.boot_id != boot_id() or _stat(entry.pid) is not None:
        return []
    return [pid for pid in _all_pids() if _in_group(pid, entry.pid) and _is_working_in(pid, home)]


def child_pids(parent: int) -> list[int]:
    """The processes whose parent this is, dead ones not yet waited for included (Linux)."""
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
    """Poll until the condition holds or the time is over; says whether it holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def stop_orphans(folder: Path, *, home: Path, seconds: float = 10.0) -> list[str]:
    """End every recorded process that still runs, and its group; forget the rest.

    Returns the names of those that had to be ended. Call it only while holding the lock of the
    run that these records belong to.
    """
    entries = load_records(folder)
    living = [entry for entry in entries.values() if is_alive(entry)]
    for entry in living:
        send_signal(entry.pid, entry.stop_signal)
    ended = [entry.name for entry in living]
    for entry in living:
        if not wait_until(lambda entry=entry: not is_alive(entry), seconds):  # type: ignore[misc]
            kill_group(entry.pid) if entry.own_group else send_signal(entry.pid, signal.SIGKILL)
            wait_until(lambda entry=entry: not is_alive(entry), seconds)  # type: ignore[misc]
    for path, entry in entries.items():
        left = orphaned_group_members(entry, home)
        for pid in left:
            send_signal(pid, signal.SIGKILL)
        if left and entry.name not in ended:
            ended.append(entry.name)
        path.unlink(missing_ok=True)
    return ended
