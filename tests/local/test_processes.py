"""The records of a killed run: its processes are ended, a stranger's never."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import processes
from local.processes import ProcessRecord

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True); time.sleep(600)"
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def save(folder: Path, entry: ProcessRecord) -> None:
    processes.save_record(folder, entry)


def test_a_recorded_process_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    save(tmp_path, processes.create_record("sleeper", sleeper.pid))
    assert processes.stop_orphans(tmp_path, home=tmp_path) == ["sleeper"]
    assert sleeper.wait(timeout=10) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "another"}])
def test_a_stranger_with_the_same_pid_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], change: dict[str, Any]
) -> None:
    ours = processes.create_record("sleeper", sleeper.pid)
    save(tmp_path, dataclasses.replace(ours, **change))
    assert processes.stop_orphans(tmp_path, home=tmp_path) == []
    assert sleeper.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_a_deaf_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        save(tmp_path, processes.create_record("deaf", deaf.pid))
        processes.stop_orphans(tmp_path, home=tmp_path, seconds=0.2)
        assert deaf.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_what_outlived_its_leader_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=tmp_path,
        text=True,
    ) as leader:
        assert leader.stdout is not None
        below = int(leader.stdout.readline())
        save(tmp_path, processes.create_record("leader", leader.pid))
        leader.kill()
    elsewhere = tmp_path / "elsewhere"
    assert (
        processes.orphaned_group_members(processes.load_records(tmp_path).popitem()[1], elsewhere)
        == []
    )
    assert processes.stop_orphans(tmp_path, home=tmp_path) == ["leader"]
    assert processes.wait_until(lambda: processes.start_time(below) is None, 10)


def test_an_unreadable_record_is_removed(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"name": "ha')
    assert processes.stop_orphans(tmp_path, home=tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_our_own_start_does_not_change() -> None:
    assert processes.start_time(os.getpid()) == processes.start_time(os.getpid())
