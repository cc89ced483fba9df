"""Parse server-sent events as model servers send them: bytes in, data of events out. Does no I/O.

Beside the standard, a line that is a whole JSON object, or `[DONE]`, is an event by itself: some
servers leave out the blank lines, and gateways write errors without `data:`. Field names may have
spaces, capitals or a byte order mark around them, or come twice.
"""

import re

MAX_EVENT_BYTES = 1024 * 1024

_DONE_WORDS = (b"[DONE]", b"DONE")
_DATA = re.compile(rb"(?:(?:\xef\xbb\xbf|[ \t])*(?:data|error)[ \t]*:)+ ?", re.IGNORECASE)
"""`data:`, and what llama.cpp writes before an error's JSON. Twice, where a proxy adds its own."""
_ERROR_EVENT = re.compile(rb"[ \t]*event[ \t]*:[ \t]*error[ \t]*", re.IGNORECASE)
_ERROR_MARK = b" "
"""The data of an `event: error` that has none of its own. It is no JSON."""


class EventTooLong(ValueError):
    """An event is longer than `MAX_EVENT_BYTES`."""


class SSEParser:
    """Takes a stream's bytes in pieces of any size, split anywhere.

    Lines may end in LF, CR LF or CR. Other `data:` lines of one event are joined by LF; comments,
    other fields and events without data are skipped, except `event: error`.
    """

    __slots__ = ("_data", "_data_bytes", "_pending", "_skip_newline")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._skip_newline = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that this piece completes. Raises: EventTooLong."""
        if self._skip_newline or b"\r" in piece:
            piece = self._normalise_newlines(piece)
        if self._pending:
            # A long event in small pieces is not copied for each of them.
            self._pending += piece
            if b"\n" not in piece:
                self._check_length()
                return []
            piece = bytes(self._pending)
            self._pending.clear()
        lines = piece.split(b"\n")
        if lines[-1]:
            self._pending += lines[-1]
            self._check_length()
        del lines[-1]
        events: list[bytes] = []
        for line in lines:
            if line:
                # The form of nearly every event
                if line[:7] == b"data: {" and line[-1] == 125 and not self._data:
                    events.append(line[6:])
                else:
                    self._add_line(line, events)
            elif self._data:
                self._end_event(events)
        return events

    def flush(self) -> list[bytes]:
        """Return the last event of a server that leaves out the last line break."""
        return self.feed(b"\n\n")

    def _add_line(self, line: bytes, events: list[bytes]) -> None:
        if field := _DATA.match(line):
            data = line[field.end() :]
        elif _is_whole(line):
            data = line
        else:
            if not self._data and _ERROR_EVENT.fullmatch(line):
                self._data.append(_ERROR_MARK)
            return
        if data and self._data == [_ERROR_MARK]:
            self._data.clear()
        if self._data or not _is_whole(data):
            self._data.append(data)
            self._data_bytes += len(data)
            self._check_length()
        else:
            events.append(data)

    def _end_event(self, events: list[bytes]) -> None:
        if data := b"\n".join(self._data):
            events.append(data)
        self._data.clear()
        self._data_bytes = 0

    def _check_length(self) -> None:
        if len(self._pending) + self._data_bytes > MAX_EVENT_BYTES:
            raise EventTooLong(f"an event is longer than {MAX_EVENT_BYTES} bytes")

    def _normalise_newlines(self, piece: bytes) -> bytes:
        """Replace CR LF and CR by LF, also where the stream is split between the two."""
        if self._skip_newline and piece:
            self._skip_newline = False
            piece = piece.removeprefix(b"\n")
        if piece.endswith(b"\r"):
            self._skip_newline = True
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def is_done(data: bytes) -> bool:
    """Whether data is the word that ends a stream, in any of its spellings."""
    return data.strip(b'" \t').upper() in _DONE_WORDS


def _is_whole(data: bytes) -> bool:
    """Whether a line of data is an event, whatever follows."""
    word = data.strip()
    return (word[:1] == b"{" and word[-1:] == b"}") or is_done(word)
