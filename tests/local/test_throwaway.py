"""`python -m local run -- CMD`: any command on servers that are gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from local import server_user as accounts
from local import state, throwaway
from local.processes import wait_until
from tests.local.conftest import SECONDS, Spawn, needs_root, processes_in

ASK = (
    "import os, psycopg; c = psycopg.connect(os.environ['DATABASE_URL']); "
    "print(c.execute('SHOW fsync').fetchone()[0], os.getuid(), flush=True); "
)


def folders(base: Path) -> list[Path]:
    return [path for path in base.glob("*parley-run-*") if path.is_dir()]


def test_the_exit_code_is_the_commands(ground: Path, spawn: Spawn) -> None:
    process = spawn("local", "run", "--", "python", "-c", f"{ASK} exit(7)", TMPDIR=str(ground))
    output, errors = process.communicate(timeout=SECONDS)
    assert (output, process.returncode) == (f"off {os.getuid()}\n", 7), errors
    assert folders(ground) == []


def test_a_benchmark_pays_for_the_disk(ground: Path, spawn: Spawn) -> None:
    process = spawn("local", "run", "--durable", "--", "python", "-c", ASK, TMPDIR=str(ground))
    output, errors = process.communicate(timeout=SECONDS)
    assert (output, process.returncode) == (f"on {os.getuid()}\n", 0), errors


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_command_and_servers(
    ground: Path, spawn: Spawn, signum: signal.Signals
) -> None:
    waits = f"{ASK} import time; time.sleep(600)  # {ground}"
    process = spawn("local", "run", "--", "python", "-c", waits, TMPDIR=str(ground))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signum)
    assert process.wait(timeout=SECONDS) == 128 + signum
    assert (folders(ground), processes_in(ground)) == ([], [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt")
def test_what_the_command_left_in_another_session_is_ended(ground: Path, spawn: Spawn) -> None:
    left = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True, cwd={!r})"
    process = spawn(
        "local", "run", "--", "python", "-W", "ignore", "-c", left.format(str(ground)),
        TMPDIR=str(ground),
    )  # fmt: skip
    assert process.wait(timeout=SECONDS) == 0
    assert processes_in(ground) == []


def test_what_a_killed_run_left_is_removed_by_the_next(ground: Path, spawn: Spawn) -> None:
    waits = f"{ASK} import time; time.sleep(600)"
    killed = spawn("local", "run", "--", "python", "-c", waits, TMPDIR=str(ground))
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.wait(timeout=SECONDS)
    assert len(folders(ground)) == 1
    assert sorted(throwaway.remove_leftovers(ground)) == ["command", "postgres", "valkey"]
    assert folders(ground) == []
    assert wait_until(lambda: processes_in(ground) == [], SECONDS)


def test_a_running_runs_folder_is_left_alone(ground: Path) -> None:
    folder = ground / "parley-run-alive"
    folder.mkdir()
    lock = state.DirectoryLock(folder)
    lock.acquire()
    assert throwaway.remove_leftovers(ground) == []
    assert folder.is_dir()
    lock.release()
    throwaway.remove_leftovers(ground)
    assert not folder.exists()


def test_pytest_runs_on_three_processes_unless_told() -> None:
    assert throwaway.pytest_command(["-k", "chat"])[-4:] == ["-n", "3", "-k", "chat"]
    assert throwaway.pytest_command(["-n0"])[-1:] == ["-n0"]


def _python_for_all(account: accounts.SystemUser) -> str:
    """This Python's minor version, where every user can run it."""
    name = f"python3.{sys.version_info.minor}"
    candidates = [
        sys.executable,
        *(f"{folder}/{name}" for folder in ("/usr/local/bin", "/usr/bin")),
    ]
    for candidate in candidates:
        if Path(candidate).exists() and accounts.can_access(account, Path(candidate)):
            return candidate
    pytest.skip(f"no {name} that {account.name} can run")


@needs_root
def test_an_ordinary_user_needs_nothing_more(ground: Path) -> None:
    account = accounts.server_user()
    assert account is not None
    python = _python_for_all(account)
    project = ground / "project"
    shutil.copytree(state.PROJECT_ROOT / "local", project / "local")
    for path in (ground, project, *project.rglob("*")):
        os.chown(path, account.uid, account.gid)
    ran = subprocess.run(
        [python, "-m", "local", "run", "--", python, "-c", ASK],
        cwd=project,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        env={
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "TMPDIR": str(ground),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (ran.stdout, ran.returncode) == (f"off {account.uid}\n", 0), ran.stderr
    assert folders(ground) == []
