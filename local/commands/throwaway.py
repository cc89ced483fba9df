"""Run commands on throwaway servers: `make test`, `make bench`, `python -m local run -- CMD`."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local import state
from local.children import foreground, processes, server_user
from local.children.interrupts import Interrupts
from local.children.supervisor import Supervisor
from local.console import Console
from local.errors import AlreadyRunning, LocalError
from local.servers import ports, postgres, services

PREFIX = "parley-run-"
HIDDEN_PREFIX = ".parley-run-"
TEST_SETTINGS = "config.settings.test"
PARALLEL_OPTIONS = ("-n", "4", "--dist", "worksteal")
"""Many tests wait for other processes, so there are more workers than cores. Each worker gets
neighbouring tests, so that most module fixtures are made once."""

Environment = Mapping[str, str]


def pytest_command(arguments: Sequence[str]) -> list[str]:
    """Return the pytest command, with PARALLEL_OPTIONS unless the arguments choose otherwise."""
    has_choice = any(a.startswith(("-n", "--numprocesses", "--dist", "--pdb")) for a in arguments)
    return [sys.executable, "-m", "pytest", *([] if has_choice else PARALLEL_OPTIONS), *arguments]


def run(
    command: Sequence[str], console: Console, interrupts: Interrupts, *, durable: bool = False
) -> int:
    """Run a command with its own PostgreSQL and Valkey; return its exit code."""
    with throwaway_servers(console, interrupts, durable=durable) as (supervisor, environment):
        return foreground.run_command(supervisor, command, environment)


@contextmanager
def throwaway_servers(
    console: Console, interrupts: Interrupts, *, durable: bool = False
) -> Iterator[tuple[Supervisor, Environment]]:
    """Yield a supervisor with new servers, and the environment variables that name them.

    Servers and directory are removed afterwards, and leftovers of killed runs before. `durable`:
    PostgreSQL syncs commits to disk, as in production.
    """
    base = _temporary_directory()
    remove_leftovers(base)
    directory, lock = _create_locked_directory(base)
    try:
        supervisor = Supervisor(home=directory, cwd=state.PROJECT_ROOT, interrupts=interrupts)
        try:
            yield (
                supervisor,
                _command_environment(
                    services.start_servers(supervisor, console, _server_config(directory, durable))
                ),
            )
        finally:
            supervisor.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        lock.release()


def _command_environment(addresses: Environment) -> Environment:
    """Return the environment of a command: servers, test settings, and this Python as `python`."""
    settings = os.environ.get("DJANGO_SETTINGS_MODULE") or TEST_SETTINGS
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, **addresses, "DJANGO_SETTINGS_MODULE": settings, "PATH": path}


def _server_config(directory: Path, durable: bool) -> services.ServerConfig:
    secrets = state.generate_secrets()
    return services.ServerConfig(
        directory=directory,
        fallback_directory=directory / "postgres-elsewhere",
        ports=lambda preferred: ports.random_free_ports(),
        durable=durable,
        postgres_password=secrets.postgres_password,
        valkey_password=secrets.valkey_password,
    )


def _temporary_directory() -> Path:
    """Return the first temporary directory that the servers' user can enter."""
    user = server_user.get_server_user()
    for candidate in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108
        if candidate.is_dir() and server_user.can_access(user, candidate):
            return candidate
    raise LocalError("No temporary directory that PostgreSQL's user can enter. Set TMPDIR to one.")


def _create_locked_directory(base: Path) -> tuple[Path, state.DirectoryLock]:
    """Create a directory that is locked before other runs can see its name."""
    hidden = Path(tempfile.mkdtemp(prefix=HIDDEN_PREFIX, dir=base))
    state.prepare_directory(hidden)
    lock = state.DirectoryLock(hidden)
    lock.acquire()
    return hidden.rename(base / hidden.name.removeprefix(".")), lock


def remove_leftovers(base: Path) -> list[str]:
    """Stop and remove what this user's killed runs left in `base`; return the stopped programs."""
    stopped: list[str] = []
    for directory in base.glob(f"{PREFIX}*"):
        if not directory.is_dir() or directory.stat().st_uid != os.geteuid():
            continue
        lock = state.DirectoryLock(directory)
        try:
            lock.acquire()
        except AlreadyRunning:
            continue
        stopped += processes.stop_orphans(directory / "run", home=state.PROJECT_ROOT)
        postgres.stop_leftover(directory / "postgres" / "data")
        shutil.rmtree(directory, ignore_errors=True)
        lock.release()
    return stopped
