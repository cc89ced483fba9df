"""Parse server-sent events: bytes in, the data of complete events out. Does no I/O."""

MAX_EVENT_BYTES = 1024 * 1024


class EventTooLong(ValueError):
    """An event is longer than `MAX_EVENT_BYTES`."""


class SSEParser:
    """Takes a stream's bytes in pieces of any size, split anywhere.

    Lines may end in LF, CR LF or CR. Several `data:` lines of one event are joined by LF;
    comments, other fields and events without data are skipped.
    """

    __slots__ = ("_pending", "_scanned", "_skip_newline")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0
        self._skip_newline = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that this piece completes. Raises: EventTooLong."""
        if self._skip_newline or b"\r" in piece:
            piece = self._normalise_newlines(piece)
        pending = self._pending
        pending += piece
        events: list[bytes] = []
        start, end = 0, pending.find(b"\n\n", self._scanned)
        while end >= 0:
            if data := _data(bytes(pending[start:end])):
                events.append(data)
            start = end + 2
            end = pending.find(b"\n\n", start)
        del pending[:start]
        # Where to search on, so that a long event in small pieces is not searched repeatedly.
        self._scanned = max(0, len(pending) - 1)
        if len(pending) > MAX_EVENT_BYTES:
            raise EventTooLong(f"an event is longer than {MAX_EVENT_BYTES} bytes")
        return events

    def flush(self) -> list[bytes]:
        """Return the last event of a server that leaves out the last blank line."""
        data = _data(bytes(self._pending))
        self._pending.clear()
        return [data] if data else []

    def _normalise_newlines(self, piece: bytes) -> bytes:
        """Replace CR LF and CR by LF, also where the stream is split between the two."""
        if self._skip_newline and piece:
            self._skip_newline = False
            piece = piece.removeprefix(b"\n")
        if piece.endswith(b"\r"):
            self._skip_newline = True
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]  # the form of nearly every event
    return b"\n".join(
        line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")
    )
