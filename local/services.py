"""The database and the Redis that a command needs: embedded, or the environment's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local import postgres, processes, valkey
from local.console import Console
from local.errors import ChildFailed, PortTaken
from local.supervisor import Service, Supervisor

ATTEMPTS = 5
BACKENDS_LEFT = "is still in use"
BACKENDS_SECONDS = 10.0

Ports = Callable[[int], Iterator[int]]


@dataclass(frozen=True)
class ServerConfig:
    """Where embedded servers live and how they choose ports.

    `ports(preferred)` yields candidates. `fallback_directory` is used for PostgreSQL's data when its user
    cannot reach `directory`.
    """

    directory: Path
    fallback_directory: Path
    ports: Ports
    durable: bool
    postgres_password: str
    valkey_password: str


def start_servers(supervisor: Supervisor, screen: Console, config: ServerConfig) -> dict[str, str]:
    """Start what the environment does not name; returns DATABASE_URL and REDIS_URL."""
    return {
        "DATABASE_URL": os.environ.get("DATABASE_URL")
        or _start_postgres(supervisor, screen, config),
        "REDIS_URL": os.environ.get("REDIS_URL") or _start_valkey(supervisor, screen, config),
    }


def _start_postgres(supervisor: Supervisor, screen: Console, config: ServerConfig) -> str:
    with screen.step(f"PostgreSQL {postgres.version()}", "preparing") as step:
        cluster = postgres.prepare_cluster(
            config.directory / "postgres",
            elsewhere=config.fallback_directory,
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


def _start_valkey(supervisor: Supervisor, screen: Console, config: ServerConfig) -> str:
    with screen.step(f"Valkey {valkey.version()}", "starting") as step:
        home = config.directory / "valkey"
        home.mkdir(mode=0o700, exist_ok=True)
        cache = valkey.ValkeyConfig(home, config.valkey_password)
        port = start_on_free_port(
            supervisor,
            config.ports(valkey.PREFERRED_PORT),
            lambda port: valkey.service(cache, port),
        )
        step.detail = f"127.0.0.1:{port}"
    return cache.url(port)


def start_on_free_port(
    supervisor: Supervisor, ports: Iterator[int], service: Callable[[int], Service]
) -> int:
    """Start a service on the first port that it gets, and return that port.

    A port that looked free may be taken a moment later; then the next one is tried.
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
    """Start a service; give the last processes of a killed server time to leave its memory."""

    def started() -> bool:
        try:
            supervisor.start(service)
        except ChildFailed as failure:
            if BACKENDS_LEFT not in failure.log_tail:
                raise
            return False
        return True

    if not processes.wait_until(started, BACKENDS_SECONDS):
        supervisor.start(service)
