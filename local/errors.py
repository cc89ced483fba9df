"""LocalError: everything that a person should read as a sentence rather than a traceback.

LocalError
├── ChildFailed     a child ended or did not become ready
│   └── PortTaken   … because another process has its port
└── AlreadyRunning  another run holds the folder
"""

from __future__ import annotations


class LocalError(Exception):
    """A sentence that says what is wrong and how to mend it."""


class ChildFailed(LocalError):
    """A child ended by itself, or was not ready in time; `log_tail` is the end of its log."""

    def __init__(self, message: str, tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = tail


class PortTaken(ChildFailed):
    """The child could not listen: choose another port and start it again."""


class AlreadyRunning(LocalError):
    """Another run holds the lock of this folder."""
