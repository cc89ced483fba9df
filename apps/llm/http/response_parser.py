"""Parse one HTTP/1.1 response with httptools: bytes in, head and body out. Does no I/O."""

import httptools

MAX_HEAD_BYTES = 64 * 1024
MAX_LINE_BYTES = 4096
"""The most that a body may bring in a row without content: a chunk's size, trailers."""


class InvalidResponse(OSError):
    """The bytes are no HTTP response, or the connection ended before its end."""


class ResponseParser:
    """Takes a response's bytes in pieces of any size, split anywhere.

    `status` is 0 until the head is complete; then `headers` are there, by names in Title-Case.
    `is_complete`: the whole body has come. `keep_alive`: the connection can serve another request.
    """

    __slots__ = (
        "_overhead",
        "_parser",
        "_pieces",
        "headers",
        "is_complete",
        "keep_alive",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_complete = False
        self.keep_alive = False
        self._pieces: list[bytes] = []
        self._overhead = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        # Some servers send a length beside chunks; the chunks count.
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces of the body in these bytes. Raises InvalidResponse."""
        if self._parser is None:
            self.keep_alive = self.keep_alive and not data  # more than was requested
            return []
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.is_complete:
                raise InvalidResponse(f"not an HTTP response ({type(error).__name__})") from None
            self.keep_alive = False
        if self.is_complete:
            self._parser = None  # it refers to this object: a cycle
        elif self._pieces:
            self._overhead = 0
        else:
            self._overhead += len(data)
            if self._overhead > (MAX_LINE_BYTES if self.status else MAX_HEAD_BYTES):
                raise InvalidResponse("too many bytes without content")
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """Handle the connection's end. Raises InvalidResponse if it cuts the response short."""
        self.keep_alive = False
        if self.is_complete:
            return
        coding = self.headers.get("Transfer-Encoding", "").lower()
        if not self.status or coding.endswith("chunked") or "Content-Length" in self.headers:
            raise InvalidResponse("the connection ended before the response")
        self.is_complete = True
        self._parser = None

    # Called by httptools

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.keep_alive = False  # more than was requested

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # later ones are trailers
            self.headers[name.decode("latin-1").title()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._parser is None or self.is_complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()  # an interim response: the real one follows
        else:
            self.status = status
            self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.is_complete = True
