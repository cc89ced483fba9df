"""Detect revoked API keys: one query a second for the keys of all open sockets."""

from collections.abc import Collection, Mapping

from apps.api_keys.queries import find_inactive_keys
from apps.infrastructure.postgres.polling import Poller


def _ended(api_key_ids: Collection[str]) -> Mapping[str, bool]:
    return dict.fromkeys(find_inactive_keys(api_key_ids), True)


key_poller: Poller[str, bool] = Poller(_ended, interval_seconds=1.0)
"""Notifies subscribers of a key with True once it is revoked, expired or deleted."""
