"""The state of this process."""


class Process:
    """`is_stopping`: shutting down; running turns are finished and sockets closed.

    `refuses_turns`: new turns get 503. While it stops and another process accepts connections, the
    requests on those that it has already accepted are still served.
    """

    is_stopping = False
    refuses_turns = False


process = Process()
