"""Find free ports on the loopback address."""

import random
import socket
from collections.abc import Iterator

from local.errors import LocalError

HOST = "127.0.0.1"
# Below the range of ephemeral ports, so that no outgoing connection takes the port first.
RANDOM_FIRST, RANDOM_LAST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Return True if a server could listen on this port now."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex((HOST, port)) != 0


def free_ports(first: int) -> Iterator[int]:
    """Yield the free ports from `first` on. Raises LocalError after 200 ports."""
    yield from (port for port in range(first, min(first + 200, 65_536)) if is_free(port))
    raise LocalError(f"No free port between {first} and {first + 199}.")


def random_free_ports() -> Iterator[int]:
    """Yield random free ports, so that parallel runs rarely choose the same one."""
    while True:
        port = random.randrange(RANDOM_FIRST, RANDOM_LAST)  # noqa: S311
        if is_free(port):
            yield port


def require_port(port: int) -> int:
    """Return the port if it can be used; raise LocalError, naming a free one, otherwise."""
    if not 1 <= port <= 65_535:
        raise LocalError(f"PORT={port} is not a port: choose one from 1 to 65535.")
    if port < 1024 and not is_free(port):
        raise LocalError(f"Port {port} cannot be used here. Choose another: make demo PORT=8000")
    if not is_free(port):
        raise LocalError(
            f"Port {port} is taken by another program. Stop it, or choose another port: "
            f"make demo PORT={next(free_ports(port + 1))}"
        )
    return port
