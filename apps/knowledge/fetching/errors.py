"""Why nothing was fetched, in words for the owner of a source.

FetchError
├── FetchFailed   the site, its robots.txt or our limits stand against it
└── HostBusy      it is not this visitor's turn at the host yet: come back
"""

from apps.core.text import replace_unstorable


class FetchError(Exception):
    """Nothing was fetched."""


class FetchFailed(FetchError):
    """The text is a sentence for the owner.

    `code`: a short slug, such as "http_403", "robots", "too_large". `is_temporary`: a retry may
    help. `retry_after`: seconds, if the site named them.
    """

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        is_temporary: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(replace_unstorable(sentence))  # it may quote what a server sent
        self.code = code
        self.is_temporary = is_temporary
        self.retry_after = retry_after

    @property
    def is_gone(self) -> bool:
        """Whether the page was removed, so that what is kept of it has to go, too."""
        return self.code in ("http_404", "http_410")


class HostBusy(FetchError):
    """Another request to the host is under way, or was a moment ago.

    `wait_seconds`: after how long to come back. The visitor keeps its place in the host's queue
    until some seconds after that.
    """

    def __init__(self, host: str, wait_seconds: float) -> None:
        super().__init__(f"It is not our turn at {host} for another {wait_seconds:.1f} seconds.")
        self.host = host
        self.wait_seconds = wait_seconds
