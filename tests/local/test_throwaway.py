"""Tests of `python -m local run -- CMD`: a command on throwaway servers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from local import state
from local.children import server_user
from local.children.processes import wait_until
from local.commands import throwaway
from tests.local.conftest import SECONDS, Spawn, needs_root, processes_in

PRINT_FSYNC_AND_UID = (
    "import os, psycopg; c = psycopg.connect(os.environ['DATABASE_URL']); "
    "print(c.execute('SHOW fsync').fetchone()[0], os.getuid(), flush=True); "
)


def run_directories(base: Path) -> list[Path]:
    return [path for path in base.glob("*parley-run-*") if path.is_dir()]


def test_run_exits_with_the_code_of_the_command(workdir: Path, spawn: Spawn) -> None:
    process = spawn(
        "local", "run", "--", "python", "-c", f"{PRINT_FSYNC_AND_UID} exit(7)", TMPDIR=str(workdir)
    )
    output, errors = process.communicate(timeout=SECONDS)
    assert (output, process.returncode) == (f"off {os.getuid()}\n", 7), errors
    assert run_directories(workdir) == []


def test_durable_run_has_fsync_on(workdir: Path, spawn: Spawn) -> None:
    process = spawn(
        "local", "run", "--durable", "--", "python", "-c", PRINT_FSYNC_AND_UID, TMPDIR=str(workdir)
    )
    output, errors = process.communicate(timeout=SECONDS)
    assert (output, process.returncode) == (f"on {os.getuid()}\n", 0), errors


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_command_and_servers(
    workdir: Path, spawn: Spawn, signum: signal.Signals
) -> None:
    code = f"{PRINT_FSYNC_AND_UID} import time; time.sleep(600)  # {workdir}"
    process = spawn("local", "run", "--", "python", "-c", code, TMPDIR=str(workdir))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signum)
    assert process.wait(timeout=SECONDS) == 128 + signum
    assert (run_directories(workdir), processes_in(workdir)) == ([], [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
def test_run_kills_processes_that_the_command_left(workdir: Path, spawn: Spawn) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True, cwd={!r})"
    process = spawn(
        "local", "run", "--", "python", "-W", "ignore", "-c", code.format(str(workdir)),
        TMPDIR=str(workdir),
    )  # fmt: skip
    assert process.wait(timeout=SECONDS) == 0
    assert processes_in(workdir) == []


def test_remove_leftovers_stops_and_removes_a_killed_run(workdir: Path, spawn: Spawn) -> None:
    code = f"{PRINT_FSYNC_AND_UID} import time; time.sleep(600)"
    killed = spawn("local", "run", "--", "python", "-c", code, TMPDIR=str(workdir))
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.wait(timeout=SECONDS)
    assert len(run_directories(workdir)) == 1
    assert sorted(throwaway.remove_leftovers(workdir)) == ["command", "postgres", "valkey"]
    assert run_directories(workdir) == []
    assert wait_until(lambda: processes_in(workdir) == [], SECONDS)


def test_remove_leftovers_keeps_the_directory_of_a_running_run(workdir: Path) -> None:
    directory = workdir / "parley-run-alive"
    directory.mkdir()
    lock = state.DirectoryLock(directory)
    lock.acquire()
    assert throwaway.remove_leftovers(workdir) == []
    assert directory.is_dir()
    lock.release()
    throwaway.remove_leftovers(workdir)
    assert not directory.exists()


def test_pytest_command_runs_in_parallel_by_default() -> None:
    command = throwaway.pytest_command(["-k", "chat"])
    assert command[-6:] == ["-n", "4", "--dist", "worksteal", "-k", "chat"]
    assert throwaway.pytest_command(["-n0"])[-1:] == ["-n0"]


def _python_for(user: server_user.SystemUser) -> str:
    """Return a Python of this minor version that the user can run."""
    name = f"python3.{sys.version_info.minor}"
    candidates = [
        sys.executable,
        *(f"{directory}/{name}" for directory in ("/usr/local/bin", "/usr/bin")),
    ]
    for candidate in candidates:
        if Path(candidate).exists() and server_user.can_access(user, Path(candidate)):
            return candidate
    pytest.skip(f"no {name} that {user.name} can run")


@needs_root
def test_run_works_for_an_unprivileged_user(workdir: Path) -> None:
    user = server_user.get_server_user()
    assert user is not None
    python = _python_for(user)
    project = workdir / "project"
    shutil.copytree(state.PROJECT_ROOT / "local", project / "local")
    for path in (workdir, project, *project.rglob("*")):
        os.chown(path, user.uid, user.gid)
    ran = subprocess.run(
        [python, "-m", "local", "run", "--", python, "-c", PRINT_FSYNC_AND_UID],
        cwd=project,
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        env={
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "TMPDIR": str(workdir),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (ran.stdout, ran.returncode) == (f"off {user.uid}\n", 0), ran.stderr
    assert run_directories(workdir) == []
