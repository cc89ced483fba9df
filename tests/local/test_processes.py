"""Tests of process records: orphans of a killed run are stopped, other processes never."""

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

from local.children import processes
from local.children.processes import ProcessRecord

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


def save(directory: Path, entry: ProcessRecord) -> None:
    processes.save_record(directory, entry)


def test_stop_orphans_stops_a_recorded_process(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    save(tmp_path, processes.create_record("sleeper", sleeper.pid))
    assert processes.stop_orphans(tmp_path, home=tmp_path) == ["sleeper"]
    assert sleeper.wait(timeout=10) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"start_time": "1"}, {"boot_id": "another"}])
def test_stop_orphans_ignores_another_process_with_the_pid(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], change: dict[str, Any]
) -> None:
    ours = processes.create_record("sleeper", sleeper.pid)
    save(tmp_path, dataclasses.replace(ours, **change))
    assert processes.stop_orphans(tmp_path, home=tmp_path) == []
    assert sleeper.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_stop_orphans_kills_a_process_that_ignores_sigterm(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        save(tmp_path, processes.create_record("stubborn", process.pid))
        processes.stop_orphans(tmp_path, home=tmp_path, seconds=0.2)
        assert process.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_stop_orphans_kills_a_group_without_its_leader(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=tmp_path,
        text=True,
    ) as leader:
        assert leader.stdout is not None
        child_pid = int(leader.stdout.readline())
        save(tmp_path, processes.create_record("leader", leader.pid))
        leader.kill()
    other = tmp_path / "other"
    assert (
        processes.orphaned_group_members(processes.load_records(tmp_path).popitem()[1], other) == []
    )
    assert processes.stop_orphans(tmp_path, home=tmp_path) == ["leader"]
    assert processes.wait_until(lambda: processes.start_time(child_pid) is None, 10)


def test_stop_orphans_deletes_an_unreadable_record(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"name": "ha')
    assert processes.stop_orphans(tmp_path, home=tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_start_time_is_constant() -> None:
    assert processes.start_time(os.getpid()) == processes.start_time(os.getpid())
