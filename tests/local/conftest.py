"""Fixtures for real processes: no process may be left in a test's directory."""

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

from local import state
from local.children import server_user
from local.children.interrupts import Interrupts
from local.children.processes import start_time, wait_until
from local.children.supervisor import Supervisor

SECONDS = 60
Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def workdir() -> Iterator[Path]:
    """A directory that PostgreSQL's system user can enter, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="parley tests "))
    directory.chmod(0o711)
    try:
        yield directory
        assert processes_in(directory) == []
    finally:
        for process in processes_in(directory):
            process.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    owner = Supervisor(home=tmp_path, cwd=tmp_path, interrupts=Interrupts())
    try:
        yield owner
    finally:
        owner.stop()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a Python module of this project. It is killed at the end of the test."""
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


def read_report(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the JSON line that the fake server prints when it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=SECONDS)[1]
    report: dict[str, Any] = json.loads(line)
    return report


def processes_in(directory: Path) -> list[psutil.Process]:
    """Return processes that run in the directory or have it on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            paths = [process.cwd(), *process.cmdline()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if any(str(directory) in path for path in paths):
            found.append(process)
    return found


def assert_gone(pids: list[int]) -> None:
    assert wait_until(lambda: all(start_time(pid) is None for pid in pids), SECONDS), pids


needs_root = pytest.mark.skipif(
    server_user.get_server_user() is None, reason="needs root to start a process as another user"
)
