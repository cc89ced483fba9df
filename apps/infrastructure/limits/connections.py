"""The connections that this process has accepted, as the kernel sees them. Linux only.

The server limits neither how slowly a response may be read nor how much of an unfinished WebSocket
message it holds. The kernel counts both: bytes received, acknowledged and not yet acknowledged.
"""

import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress
from dataclasses import dataclass

_FOLDER = "/proc/self/fd"  # read with os: a Path for each descriptor would cost more than the rest
_BYTES_ACKED_AND_RECEIVED = struct.Struct("=QQ")
_OFFSET = 120  # of these two in the kernel's struct tcp_info
_INFO_BYTES = _OFFSET + _BYTES_ACKED_AND_RECEIVED.size
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Ask after a minute of silence, every 15 s, and give up after the fourth question."""

Peer = tuple[str, int]
"""Address and port of the other end."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A descriptor and the socket that it had when it was read: numbers are used again."""

    descriptor: int
    inode: int
    peer: Peer


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that the other end has sent and acknowledged, and those it has yet to acknowledge."""

    received: int
    acknowledged: int
    pending: int


class ConnectionTable:
    """Finds the connections that were accepted on this process's listening sockets."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], Connection | None] = {}
        self._ports: set[int] = set()

    def read(self) -> list[Connection]:
        """Return the connections that are open now; none where the kernel does not tell."""
        sockets = _list_sockets()
        known = {key: self._known[key] for key in sockets if key in self._known}
        new = {key: _describe(*key) for key in sockets if key not in known}
        self._ports |= {found.port for found in new.values() if found and not found.peer}
        for (descriptor, link), found in new.items():
            connection = None
            if found and found.peer and found.port in self._ports:
                connection = Connection(descriptor, _inode(link), found.peer)
            known[descriptor, link] = connection
        self._known = known
        return [connection for connection in known.values() if connection]


@dataclass(frozen=True, slots=True)
class _Description:
    port: int
    peer: Peer | None


def _list_sockets() -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    with suppress(FileNotFoundError):
        for name in os.listdir(_FOLDER):  # noqa: PTH208
            with suppress(OSError):  # closed meanwhile
                link = os.readlink(f"{_FOLDER}/{name}")  # noqa: PTH115
                if link.startswith("socket:["):
                    found.append((int(name), link))
    return found


def _inode(link: str) -> int:
    return int(link.removeprefix("socket:[").removesuffix("]"))


def _describe(descriptor: int, link: str) -> _Description | None:
    """Port and peer of a TCP socket; no peer if it listens. None for any other socket."""
    with suppress(OSError, ValueError), _open(descriptor, _inode(link)) as copy:
        if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM:
            port = copy.getsockname()[1]
            if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return _Description(port, None)
            return _Description(port, copy.getpeername()[:2])
    return None


def _open(descriptor: int, inode: int) -> socket.socket:
    """A copy of the descriptor, of the same socket. Raises OSError if that is closed."""
    copy = os.dup(descriptor)
    if os.fstat(copy).st_ino != inode:
        os.close(copy)
        raise OSError("the socket is closed")
    return socket.socket(fileno=copy)


def read_traffic(connection: Connection) -> Traffic | None:
    """Return the counters of a connection; None if it is closed."""
    with suppress(OSError), _open(connection.descriptor, connection.inode) as copy:
        info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        if len(info) == _INFO_BYTES:
            acknowledged, received = _BYTES_ACKED_AND_RECEIVED.unpack_from(info, _OFFSET)
            pending = struct.unpack("i", fcntl.ioctl(copy, termios.TIOCOUTQ, bytes(4)))[0]
            return Traffic(received, acknowledged, pending)
    return None


def detect_dead_peers(listener: socket.socket) -> None:
    """Have the kernel end the connections of this listener whose other end no longer answers.

    Idle WebSockets would otherwise be open, and count, for ever.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def reset(connection: Connection) -> None:
    """End a connection at once, without waiting for its other end."""
    with suppress(OSError), _open(connection.descriptor, connection.inode) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        copy.shutdown(socket.SHUT_RDWR)
