"""Hand the listening socket of a web process over to the others.

All web processes of one server accept from one socket, which their parent opened. A process that
stops lets go of it first: what waits in the socket's queue, and whoever connects later, is served
by the others or by the process that takes its place. `config/server.py` is the parent; in a process
that was started otherwise nothing here has an effect.
"""

import mmap
import os
import socket


class Handover:
    """What the parent and its web processes share, across the fork.

    The web processes write to the pipe: `R` and their pid once they are ready, `S` and their pid
    when they begin to stop. The parent sets the byte when the whole server stops.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self._everything_stops = mmap.mmap(-1, 1)
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)

    def stop_everything(self) -> None:
        """Have stopping processes keep the socket: no other would take what waits there."""
        self._everything_stops[0] = 1

    @property
    def is_stopping_everything(self) -> bool:
        return self._everything_stops[0] == 1

    def tell_parent(self, what: str) -> None:
        os.write(self._writer, f"{what}{os.getpid()}\n".encode())

    def read_messages(self) -> list[tuple[str, int]]:
        """What the web processes have told since the last call: a letter and a pid each."""
        try:
            text = os.read(self._reader, 65536).decode()
        except BlockingIOError:
            return []
        return [(line[0], int(line[1:])) for line in text.splitlines()]


class _Installed:
    handover: Handover | None = None


def install(handover: Handover) -> None:
    """Use this in the processes that are forked from now on."""
    _Installed.handover = handover


def tell_ready() -> None:
    """Tell the parent that this process serves requests."""
    if _Installed.handover is not None:
        _Installed.handover.tell_parent("R")


def let_go() -> bool:
    """Stop accepting connections in this process, if another will. Return whether that is so."""
    handover = _Installed.handover
    if handover is None or handover.is_stopping_everything:
        return False
    # The server cannot be told to stop accepting alone. It finds another socket in the place of
    # the one that it listens on, to which nobody ever connects.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as silent:
        silent.bind(f"\0parley-{os.getpid()}")
        silent.listen(1)
        os.dup2(silent.fileno(), handover.listener.fileno(), inheritable=False)
    handover.tell_parent("S")
    return True
