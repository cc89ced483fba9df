"""Commands on throwaway servers: `make test`, `make bench`, and `python -m local run -- CMD`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local import foreground, ports, postgres, processes, services, state
from local import server_user as accounts
from local.console import Console
from local.errors import AlreadyRunning, LocalError
from local.interrupts import Interrupts
from local.supervisor import Supervisor

PREFIX = "parley-run-"
DRAFT_PREFIX = ".parley-run-"
TEST_SETTINGS = "config.settings.test"

Environment = Mapping[str, str]


def pytest_command(arguments: Sequence[str]) -> list[str]:
    """pytest on three processes, because tests mostly wait, unless the arguments say otherwise."""
    given = any(a.startswith(("-n", "--numprocesses", "--dist", "--pdb")) for a in arguments)
    return [sys.executable, "-m", "pytest", *([] if given else ["-n", "3"]), *arguments]


def run(
    command: Sequence[str], screen: Console, interrupts: Interrupts, *, durable: bool = False
) -> int:
    """Run a command with its own PostgreSQL and Valkey; returns its exit code."""
    with throwaway_servers(screen, interrupts, durable=durable) as (supervisor, environment):
        return foreground.run_command(supervisor, command, environment)


@contextmanager
def throwaway_servers(
    screen: Console, interrupts: Interrupts, *, durable: bool = False
) -> Iterator[tuple[Supervisor, Environment]]:
    """A supervisor with fresh servers, and the environment that names them.

    `durable`: PostgreSQL forces to the disk what it commits, as in production. Servers and folder
    are gone afterwards. What earlier, killed runs left is removed first.
    """
    base = _temporary_directory()
    remove_leftovers(base)
    folder, lock = _create_locked_directory(base)
    try:
        supervisor = Supervisor(home=folder, cwd=state.PROJECT_ROOT, interrupts=interrupts)
        try:
            yield (
                supervisor,
                _command_environment(
                    services.start_servers(supervisor, screen, _server_config(folder, durable))
                ),
            )
        finally:
            supervisor.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _command_environment(addresses: Environment) -> Environment:
    """The servers' addresses, the test settings, and `python` meaning this one."""
    settings = os.environ.get("DJANGO_SETTINGS_MODULE") or TEST_SETTINGS
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, **addresses, "DJANGO_SETTINGS_MODULE": settings, "PATH": path}


def _server_config(folder: Path, durable: bool) -> services.ServerConfig:
    made = state.generate_secrets()
    return services.ServerConfig(
        directory=folder,
        fallback_directory=folder / "postgres-elsewhere",
        ports=lambda preferred: ports.random_free_ports(),
        durable=durable,
        postgres_password=made.postgres_password,
        valkey_password=made.valkey_password,
    )


def _temporary_directory() -> Path:
    """The first temporary folder that the servers' user can enter."""
    account = accounts.server_user()
    for candidate in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108
        if candidate.is_dir() and accounts.can_access(account, candidate):
            return candidate
    raise LocalError("No temporary folder that PostgreSQL's user can enter. Set TMPDIR to one.")


def _create_locked_directory(base: Path) -> tuple[Path, state.DirectoryLock]:
    """A folder that is locked from the moment it can be found."""
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=base))
    state.prepare_directory(draft)
    lock = state.DirectoryLock(draft)
    lock.acquire()
    return draft.rename(base / draft.name.removeprefix(".")), lock


def remove_leftovers(base: Path) -> list[str]:
    """End and remove what killed runs of this user left in `base`; returns what had to be ended."""
    ended: list[str] = []
    for folder in base.glob(f"{PREFIX}*"):
        if not folder.is_dir() or folder.stat().st_uid != os.geteuid():
            continue
        lock = state.DirectoryLock(folder)
        try:
            lock.acquire()
        except AlreadyRunning:
            continue
        ended += processes.stop_orphans(folder / "run", home=state.PROJECT_ROOT)
        postgres.stop_leftover(folder / "postgres" / "data")
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
    return ended
