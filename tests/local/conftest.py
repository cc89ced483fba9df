"""Real processes in real folders: each test's folder must be left without a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import server_user as accounts
from local import state
from local.interrupts import Interrupts
from local.processes import start_time, wait_until
from local.supervisor import Supervisor

SECONDS = 60
Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter; pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="parley tests "))
    folder.chmod(0o711)
    try:
        yield folder
        assert processes_in(folder) == []
    finally:
        for process in processes_in(folder):
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    owner = Supervisor(home=tmp_path, cwd=tmp_path, interrupts=Interrupts())
    try:
        yield owner
    finally:
        owner.stop()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts a Python module of this project; what still runs in the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(module: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        hidden = {"DATABASE_URL", "REDIS_URL"}
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=state.PROJECT_ROOT,
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=SECONDS)


def first_report(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON line that a stand-in prints when it is up."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=SECONDS)[1]
    report: dict[str, Any] = json.loads(line)
    return report


def processes_in(folder: Path) -> list[psutil.Process]:
    """Processes that work in the folder or name it on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            places = [process.cwd(), *process.cmdline()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if any(str(folder) in place for place in places):
            found.append(process)
    return found


def assert_gone(pids: list[int]) -> None:
    assert wait_until(lambda: all(start_time(pid) is None for pid in pids), SECONDS), pids


needs_root = pytest.mark.skipif(
    accounts.server_user() is None, reason="only root can become another user"
)
