"""The virtual environment: made once, filled from the lock files, checked by their digests.

Standard library only: this runs under the system's Python.
"""

from __future__ import annotations

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

from local import console
from local.console import Console, Step
from local.errors import ChildFailed, LocalError
from local.interrupts import Interrupts, StopRequested

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
    """Install what the command needs and become `python -m local COMMAND …` in the environment."""
    command = arguments[0] if arguments else ""
    screen = console.console_for(command)
    names = LOCK_FILES.get(command, DEFAULT_LOCK_FILES)
    Interrupts().install()
    try:
        ensure_venv(screen, [PROJECT / "requirements" / f"{name}.txt" for name in names])
    except ChildFailed as failure:
        screen.print_line(screen.dim(failure.log_tail))
        sys.exit(f"{screen.colorize('Failed:', '31')} {failure}")
    except LocalError as error:
        sys.exit(f"{screen.colorize('Failed:', '31')} {error}")
    except StopRequested as stop:
        sys.exit(stop.exit_code)
    # Nothing is compiled at installation: if bytecode were not kept, every process would compile
    # all that it imports anew, which takes seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.chdir(PROJECT)
    os.execv(PYTHON, [str(PYTHON), "-m", "local", *arguments])  # noqa: S606


def ensure_venv(screen: Console, locks: Sequence[Path]) -> None:
    """Make sure that the environment exists and holds these lock files' packages."""
    if _venv_works() and not _changed_locks(locks):
        return
    with _exclusive_lock(screen) as lock:
        if not _venv_works():
            _create_venv(screen)
        if changed := _changed_locks(locks):
            _install(screen, changed, lock)


def _venv_works() -> bool:
    """Whether the environment's Python runs, is new enough, and owns the packages beside it.

    The last is false after the system's Python has moved on to another minor version.
    """
    if not PYTHON.exists():
        return False
    shown = subprocess.run([PYTHON, "-I", "-c", VENV_CHECK], capture_output=True, text=True)
    return shown.stdout.strip() == "True"


def _stamp(lock: Path) -> Path:
    return STAMPS / f"{lock.stem}.sha256"


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _changed_locks(locks: Sequence[Path]) -> list[Path]:
    """The lock files that are not what was installed; all of them after an interrupted run."""
    if UNFINISHED.exists():
        return list(locks)
    return [
        lock
        for lock in locks
        if not _stamp(lock).exists() or _stamp(lock).read_text() != _digest(lock)
    ]


@contextmanager
def _exclusive_lock(screen: Console) -> Iterator[int]:
    """Let one process at a time touch the environment.

    The lock is on the project's folder. Its descriptor goes to pip, so that a pip that outlives a
    killed run keeps the next run waiting.
    """
    descriptor = os.open(PROJECT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with screen.step("Another run installs", "waiting for it"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _create_venv(screen: Console) -> None:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    with screen.step("Virtual environment", version):
        without_pip = ["--without-pip"] if not _module_works("ensurepip") else []
        if not _module_works("venv") or (without_pip and not _module_works("pip")):
            raise LocalError(INSTALL_VENV)
        command = [sys.executable, "-m", "venv", "--clear", *without_pip, str(VENV)]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            raise ChildFailed(INSTALL_VENV, made.stdout + made.stderr)


def _module_works(module: str) -> bool:
    """Whether this Python, as a program of its own, has the module in working order."""
    found = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True)
    return found.returncode == 0


def _pip_command() -> list[str]:
    """The environment's own pip, or the system's working on the environment."""
    own = [str(PYTHON), "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    if subprocess.run([PYTHON, "-m", "ensurepip"], capture_output=True).returncode == 0:
        return own
    if _module_works("pip"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    raise LocalError(f"{VENV} has no pip. Remove it with: make clean. {INSTALL_VENV}")


def _install(screen: Console, locks: Sequence[Path], lock: int) -> None:
    """Install lock files. They are complete, so pip has nothing to resolve (--no-deps)."""
    repair = ["--ignore-installed"] if UNFINISHED.exists() else []
    STAMPS.mkdir(exist_ok=True)
    UNFINISHED.touch()
    named = [part for lock in locks for part in ("--requirement", str(lock))]
    with screen.step("Python packages", "reading the lock files") as step:
        _run_pip(
            [
                *_pip_command(),
                *("install", "--no-deps", "--require-hashes", "--disable-pip-version-check"),
                *("--no-input", "--progress-bar=off", "--no-warn-script-location"),
                "--no-compile",  # Python compiles what it imports, and most is never imported
                *repair,
                *named,
            ],
            step,
            lock,
        )
    for path in locks:
        _stamp(path).write_text(_digest(path))
    UNFINISHED.unlink()


def _run_pip(command: Sequence[str], step: Step, lock: int) -> None:
    """Run pip, turning what it says into the step's detail.

    Its environment keeps the user's own pip settings (mirrors, certificates, cache).
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
