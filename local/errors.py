"""Errors that are shown as a message instead of a traceback.

LocalError
├── ChildFailed     a child process exited or did not become ready
│   └── PortTaken   another process uses its port
└── AlreadyRunning  another run holds the lock of the directory
"""


class LocalError(Exception):
    """The message says what is wrong and how to fix it."""


class ChildFailed(LocalError):
    """A child ended by itself, or was not ready in time; `log_tail` is the end of its log."""

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class PortTaken(ChildFailed):
    """The child could not listen; start it again on another port."""


class AlreadyRunning(LocalError):
    """Another run holds the lock of this directory; the message is that run's note."""
