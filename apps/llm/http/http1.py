"""Reading one HTTP/1.1 response: bytes in, head and body out. Does no I/O.

As much of the protocol as a client needs that asks one thing at a time: bodies in chunks, of a
given length, or until the connection ends; interim responses; trailers. Every piece of a streamed
answer passes here, so the way of a whole chunk is short.
"""

from __future__ import annotations

import re

MOST_HEAD_BYTES = 64 * 1024
MOST_LINE_BYTES = 4096

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: |$)")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
_NO_BODY = {204, 304}


class BrokenResponse(OSError):
    """What came is no HTTP response, or ended before its end."""


class ResponseReader:
    """Takes a response's bytes in pieces of any size, cut anywhere.

    `status` is 0 until the head is whole; then `headers` are there, by names in Title-Case.
    `is_over`: the body is whole. `may_keep`: its connection can carry another request.
    """

    __slots__ = (
        "_chunked",
        "_has_length",
        "_head",
        "_in_trailers",
        "_left",
        "_rest",
        "headers",
        "is_over",
        "may_keep",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_over = False
        self.may_keep = False
        self._head = bytearray()
        self._chunked = False
        self._in_trailers = False
        self._left = 0
        self._has_length = False
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body in these bytes. Raises BrokenResponse."""
        while not self.status:
            if self._head:
                self._head += data
                data = bytes(self._head)
            head, blank, data = data.partition(b"\r\n\r\n")
            if not blank:
                if len(head) > MOST_HEAD_BYTES:
                    raise BrokenResponse("the head is too long")
                self._head = bytearray(head)
                return []
            self._head.clear()
            self._read_head(head)
        if self.is_over:
            if data:
                self.may_keep = False  # more than was asked for
            return []
        if self._chunked:
            return self._chunks(data)
        return self._plain(data)

    def finish(self) -> None:
        """The connection has ended. Raises BrokenResponse where that ends nothing well."""
        self.may_keep = False
        if self.is_over:
            return
        if not self.status or self._chunked or self._has_length:
            raise BrokenResponse("the connection ended before the response")
        self.is_over = True

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        match = _STATUS.match(first)
        if match is None:
            raise BrokenResponse("not an HTTP response")
        status = int(match[2])
        if status < 200:
            return  # an interim response: the real one follows
        self.status = status
        for line in lines:
            name, colon, value = line.partition(b":")
            if colon:
                self.headers[name.decode("latin-1").title()] = value.strip().decode("latin-1")
        coding = self.headers.get("Transfer-Encoding", "").lower()
        connection = self.headers.get("Connection", "").lower()
        self.may_keep = "close" not in connection and (
            match[1] == b"1" or "keep-alive" in connection
        )
        if status in _NO_BODY:
            self.is_over = True
        elif coding.endswith("chunked"):
            self._chunked = True
        elif "Content-Length" in self.headers:
            length = self.headers["Content-Length"]
            if not (length.isascii() and length.isdigit()):
                raise BrokenResponse("a length that is no number")
            self._left, self._has_length = int(length), True
            self.is_over = self._left == 0
        else:
            self.may_keep = False

    def _plain(self, data: bytes) -> list[bytes]:
        if not self._has_length:
            return [data] if data else []
        if len(data) > self._left:
            self.may_keep = False
            data = data[: self._left]
        self._left -= len(data)
        self.is_over = self._left == 0
        return [data] if data else []

    def _chunks(self, data: bytes) -> list[bytes]:
        """`_left`: what is missing of a chunk and the line end after it."""
        pieces: list[bytes] = []
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = 0, len(data)
        while at < end:
            if self._in_trailers:
                self._trailers(data[at:])
                break
            if self._left:
                at = self._go_on(data, at, pieces)
                continue
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                if end - at > MOST_LINE_BYTES:
                    raise BrokenResponse("a chunk without a size")
                self._rest = data[at:]
                break
            size = self._size(data, at, line_end)
            at = line_end + 2
            if size == 0:
                self._in_trailers = True
                self._trailers(data[at:])
                break
            stop = at + size
            if stop + 2 <= end and data[stop : stop + 2] == b"\r\n":
                pieces.append(data[at:stop])
                at = stop + 2
            else:
                self._left = size + 2
        return pieces

    def _go_on(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Take what is there of a chunk that was begun; where it ends in `data`."""
        taken = data[at : at + self._left]
        missing = self._left - len(taken)
        text = max(0, self._left - 2)
        if taken[text:] != b"\r\n"[max(0, 2 - self._left) : max(0, 2 - missing)]:
            raise BrokenResponse("a chunk that is longer than its size")
        if text:
            pieces.append(taken[:text])
        self._left = missing
        return at + len(taken)

    def _size(self, data: bytes, at: int, line_end: int) -> int:
        line = data[at:line_end]
        try:
            return int(line, 16) if line.isalnum() else self._size_with_extension(line)
        except ValueError:
            raise BrokenResponse("a chunk without a size") from None

    def _size_with_extension(self, line: bytes) -> int:
        match = _SIZE.match(line)
        if match is None or line[match.end() :].strip()[:1] not in (b"", b";"):
            raise ValueError
        return int(match[0], 16)

    def _trailers(self, data: bytes) -> None:
        """Nothing in them matters to us; an empty line ends the body."""
        while True:
            line, newline, after = data.partition(b"\r\n")
            if not newline:
                if len(line) > MOST_LINE_BYTES:
                    raise BrokenResponse("a trailer without an end")
                self._rest = line
                return
            if not line:
                self.is_over = True
                self.may_keep = self.may_keep and not after
                return
            data = after
