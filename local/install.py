"""Create the virtual environment and install the lock files into it when they change.

Uses the standard library only, because it runs with the system's Python.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from local.children.interrupts import Interrupts, StopRequested
from local.console import Console, Step, console_for
from local.errors import ChildFailed, LocalError

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "parley"
UNFINISHED = STAMPS / "unfinished"
LOCK_FILES = {"demo": ("local", "model"), "reset": ("local", "model")}
DEFAULT_LOCK_FILES = ("dev",)
TAIL_LINES = 20
VENV_CHECK = """
import os, sys, sysconfig
print(sys.version_info >= (3, 11) and os.path.isdir(sysconfig.get_path("purelib")))
"""
INSTALL_VENV = (
    "This Python cannot make virtual environments. Install that part of it "
    "(Debian, Ubuntu: apt install python3-venv), or name another Python: PYTHON=/path/to/python3"
)


def exec_in_venv(arguments: Sequence[str]) -> NoReturn:
    """Install what the command needs and execute `python -m local COMMAND …` in the venv."""
    command = arguments[0] if arguments else ""
    console = console_for(command)
    names = LOCK_FILES.get(command, DEFAULT_LOCK_FILES)
    Interrupts().install()
    try:
        ensure_venv(console, [PROJECT / "requirements" / f"{name}.txt" for name in names])
    except ChildFailed as failure:
        console.print_line(console.dim(failure.log_tail))
        sys.exit(f"{console.colorize('Failed:', '31')} {failure}")
    except LocalError as error:
        sys.exit(f"{console.colorize('Failed:', '31')} {error}")
    except StopRequested as stop:
        sys.exit(stop.exit_code)
    # Packages are installed without bytecode (--no-compile). Without writing it at the first
    # import, every process would compile all its imports again, which takes seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.chdir(PROJECT)
    os.execv(PYTHON, [str(PYTHON), "-m", "local", *arguments])  # noqa: S606


def ensure_venv(console: Console, locks: Sequence[Path]) -> None:
    """Make sure that the venv exists and has the packages of these lock files."""
    if _venv_works() and not _changed_locks(locks):
        return
    with _exclusive_lock(console) as lock:
        if not _venv_works():
            _create_venv(console)
        if changed := _changed_locks(locks):
            _install(console, changed, lock)


def _venv_works() -> bool:
    """Return True if the venv's Python runs, is new enough and finds its own packages.

    The last is false after the system's Python was upgraded to another minor version.
    """
    if not PYTHON.exists():
        return False
    result = subprocess.run([PYTHON, "-I", "-c", VENV_CHECK], capture_output=True, text=True)
    return result.stdout.strip() == "True"


def _stamp(lock: Path) -> Path:
    return STAMPS / f"{lock.stem}.sha256"


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _changed_locks(locks: Sequence[Path]) -> list[Path]:
    """Return the lock files that differ from what is installed; all after an interrupted run."""
    if UNFINISHED.exists():
        return list(locks)
    return [
        lock
        for lock in locks
        if not _stamp(lock).exists() or _stamp(lock).read_text() != _digest(lock)
    ]


@contextmanager
def _exclusive_lock(console: Console) -> Iterator[int]:
    """Hold the lock that lets one process at a time change the venv; yields its descriptor.

    The lock is on the project's directory. pip inherits the descriptor, so that a pip which
    outlives a killed run makes the next run wait.
    """
    descriptor = os.open(PROJECT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with console.step("Another run installs", "waiting for it"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _create_venv(console: Console) -> None:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    with console.step("Virtual environment", version):
        without_pip = ["--without-pip"] if not _module_works("ensurepip") else []
        if not _module_works("venv") or (without_pip and not _module_works("pip")):
            raise LocalError(INSTALL_VENV)
        command = [sys.executable, "-m", "venv", "--clear", *without_pip, str(VENV)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise ChildFailed(INSTALL_VENV, result.stdout + result.stderr)


def _module_works(module: str) -> bool:
    """Return True if this Python, started as a new process, can import the module."""
    result = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True)
    return result.returncode == 0


def _pip_command() -> list[str]:
    """Return the command of the venv's pip, or of the system's pip working on the venv."""
    own = [str(PYTHON), "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    if subprocess.run([PYTHON, "-m", "ensurepip"], capture_output=True).returncode == 0:
        return own
    if _module_works("pip"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    raise LocalError(f"{VENV} has no pip. Remove it with: make clean. {INSTALL_VENV}")


def _install(console: Console, locks: Sequence[Path], lock: int) -> None:
    """Install lock files. They are complete, so pip resolves nothing (--no-deps)."""
    repair = ["--ignore-installed"] if UNFINISHED.exists() else []
    STAMPS.mkdir(exist_ok=True)
    UNFINISHED.touch()
    requirements = [part for lock in locks for part in ("--requirement", str(lock))]
    with console.step("Python packages", "reading the lock files") as step:
        _run_pip(
            [
                *_pip_command(),
                *("install", "--no-deps", "--require-hashes", "--disable-pip-version-check"),
                *("--no-input", "--progress-bar=off", "--no-warn-script-location"),
                "--no-compile",  # Python compiles what it imports, and most is never imported
                *repair,
                *requirements,
            ],
            step,
            lock,
        )
    for path in locks:
        _stamp(path).write_text(_digest(path))
    UNFINISHED.unlink()


def _run_pip(command: Sequence[str], step: Step, lock: int) -> None:
    """Run pip and show its progress as the step's detail.

    The environment is passed on, so the user's pip settings (mirrors, certificates) apply.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    collected = 0
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT,
        pass_fds=[lock],
    ) as process:
        try:
            for line in process.stdout or ():
                tail.append(line.rstrip())
                if match := re.match(r"(?:Collecting|Processing) (?:\S*/)?([\w.]+)", line):
                    collected += 1
                    step.detail = f"{collected}: {match[1]}"
                elif line.startswith("Installing collected"):
                    step.detail = f"unpacking {collected}"
        except StopRequested:
            process.terminate()
            raise
    if process.returncode != 0:
        raise ChildFailed(
            "pip could not install the packages. If the network failed, run the same command "
            "again: it goes on where it stopped.",
            "\n".join(tail),
        )
    step.detail = f"{collected} installed" if collected else "nothing to do"
