"""The state of this process."""


class Process:
    """`is_stopping`: shutting down; running turns are finished and new requests refused."""

    is_stopping = False


process = Process()
