"""Why a request to an address that a customer chose came to nothing.

RequestFailed
├── NameNotResolved       DNS knows no address of the host
├── ConnectionFailed      nothing listens, or it cannot be reached
├── TlsFailed             the certificate is invalid, or no secure connection could be made
├── RequestTimedOut       the time was up, or too little came in it
├── BodyTooLarge          the response is larger than was allowed
└── BodyNotReadable       the response is compressed in a way that cannot be undone
"""


class RequestFailed(Exception):
    """There was no complete response in time. The message may be shown to the customer."""


class NameNotResolved(RequestFailed):
    """The host name leads nowhere. `is_temporary`: the lookup failed, and may soon work again."""

    def __init__(self, message: str, *, is_temporary: bool) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


class ConnectionFailed(RequestFailed):
    """No connection to the server."""


class TlsFailed(RequestFailed):
    """No secure connection to the server."""


class RequestTimedOut(RequestFailed):
    """The time was up, whatever it was that took it."""


class BodyTooLarge(RequestFailed):
    """The body has more bytes than were allowed, as sent or once it is decompressed."""


class BodyNotReadable(RequestFailed):
    """The body is not compressed as its header says, or in a way that was not asked for."""
