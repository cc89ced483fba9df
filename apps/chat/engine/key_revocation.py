"""Detect revoked API keys: one query a second for the keys of all open sockets and streams.

Whoever follows a turn with a key is told no more once the key has ended, whatever the transport.
The turn itself goes on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.queries import find_inactive_keys
from apps.core.errors import ApiError
from apps.infrastructure.postgres.polling import Poller


def _ended(api_key_ids: Collection[str]) -> Mapping[str, bool]:
    return dict.fromkeys(find_inactive_keys(api_key_ids), True)


key_poller: Poller[str, bool] = Poller(_ended, interval_seconds=1.0)
"""Notifies subscribers of a key with True once it is revoked, expired or deleted."""


@contextmanager
def watch_key(api_key_id: str | None, interrupt: Callable[[ApiError], None]) -> Iterator[None]:
    """Call `interrupt` with InvalidApiKey once the key has ended. None: there is no key."""

    def on_key_status(has_ended: bool | None) -> None:
        if has_ended:
            interrupt(InvalidApiKey())

    if api_key_id is None:
        yield
        return
    key_poller.subscribe(api_key_id, on_key_status)
    try:
        yield
    finally:
        key_poller.unsubscribe(api_key_id, on_key_status)
