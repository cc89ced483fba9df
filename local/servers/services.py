"""Start the PostgreSQL and Valkey that a command needs, unless the environment names them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local.children import processes
from local.children.supervisor import Service, Supervisor
from local.console import Console
from local.errors import ChildFailed, PortTaken
from local.servers import postgres, valkey, wheels

ATTEMPTS = 5
SHARED_MEMORY_IN_USE = "is still in use"
SHARED_MEMORY_SECONDS = 10.0

Ports = Callable[[int], Iterator[int]]


@dataclass(frozen=True)
class ServerConfig:
    """Directories, ports and passwords of the embedded servers.

    `ports(preferred)` yields candidates. PostgreSQL's data is in `fallback_directory` if its system
    user cannot access `directory`. `durable=False` does not sync commits to disk.
    """

    directory: Path
    fallback_directory: Path
    ports: Ports
    durable: bool
    postgres_password: str
    valkey_password: str


def start_servers(supervisor: Supervisor, console: Console, config: ServerConfig) -> dict[str, str]:
    """Start the servers that the environment does not name; return DATABASE_URL and REDIS_URL."""
    return {
        "DATABASE_URL": os.environ.get("DATABASE_URL")
        or _start_postgres(supervisor, console, config),
        "REDIS_URL": os.environ.get("REDIS_URL") or _start_valkey(supervisor, console, config),
    }


def _start_postgres(supervisor: Supervisor, console: Console, config: ServerConfig) -> str:
    with console.step(f"PostgreSQL {wheels.major_version(postgres.WHEEL)}", "preparing") as step:
        cluster = postgres.prepare_cluster(
            config.directory / "postgres",
            fallback=config.fallback_directory,
            password=config.postgres_password,
            durable=config.durable,
        )
        postgres.stop_leftover(cluster.data)
        postgres.initialise(supervisor, cluster)
        step.detail = "starting"
        port = start_on_free_port(
            supervisor,
            config.ports(postgres.PREFERRED_PORT),
            lambda port: postgres.service(cluster, port),
        )
        step.detail = f"127.0.0.1:{port}"
    return cluster.url(port)


def _start_valkey(supervisor: Supervisor, console: Console, config: ServerConfig) -> str:
    with console.step(f"Valkey {wheels.major_version(valkey.WHEEL)}", "starting") as step:
        directory = config.directory / "valkey"
        directory.mkdir(mode=0o700, exist_ok=True)
        server = valkey.ValkeyConfig(directory, config.valkey_password)
        port = start_on_free_port(
            supervisor,
            config.ports(valkey.PREFERRED_PORT),
            lambda port: valkey.service(server, port),
        )
        step.detail = f"127.0.0.1:{port}"
    return server.url(port)


def start_on_free_port(
    supervisor: Supervisor, ports: Iterator[int], service: Callable[[int], Service]
) -> int:
    """Start a service on the first port where it can listen, and return that port.

    A free port may be taken before the service listens; then the next one is tried.
    """
    for attempt in range(1, ATTEMPTS + 1):
        port = next(ports)
        try:
            _start_with_retry(supervisor, service(port))
        except PortTaken:
            if attempt == ATTEMPTS:
                raise
        else:
            return port
    raise AssertionError("the last attempt returned or raised")


def _start_with_retry(supervisor: Supervisor, service: Service) -> None:
    """Start a service, retrying while processes of a killed server still use its shared memory."""

    def try_start() -> bool:
        try:
            supervisor.start(service)
        except ChildFailed as failure:
            if SHARED_MEMORY_IN_USE not in failure.log_tail:
                raise
            return False
        return True

    if not processes.wait_until(try_start, SHARED_MEMORY_SECONDS):
        supervisor.start(service)
