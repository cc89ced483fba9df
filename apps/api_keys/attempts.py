"""Limit the requests with wrong API keys that one client sends.

Each costs a look-up in the threads and connections that serve all chats. A client (`limit_subject`)
may have MAX_WRONG_KEYS_PER_MINUTE in a process, those that are being looked up among them; then its
requests are refused without a look-up. Keys that worked in this process are not counted, so others
behind the same address go on.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from apps.api_keys.queries import hash_secret, parse_bearer_token
from apps.core.errors import ApiError, TooManyRequests, Unauthenticated

WINDOW_SECONDS = 60.0
MAX_REMEMBERED = 10_000
"""Clients, and keys that worked: those that came last."""
_TOO_MANY = "Too many requests with wrong API keys came from your address. Please wait."


@contextmanager
def limit_attempts(client: str, authorization: str | None) -> Iterator[None]:
    """Look up the key of this Authorization header in the context, for a client.

    Raises TooManyRequests, MissingAuthHeader or InvalidApiKey before that.
    """
    digest = hash_secret(parse_bearer_token(authorization))
    _attempts.begin(client, digest)
    try:
        yield
    except Unauthenticated:
        _attempts.fail(digest)
        raise
    except ApiError:  # it may not do what was asked for, but it is a key
        _attempts.succeed(client, digest)
        raise
    except BaseException:
        _attempts.give_back(client)
        raise
    _attempts.succeed(client, digest)


class _Attempts:
    """Counts attempts by client, in whole windows from the first one on. For all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # and when each ends
        self._working: OrderedDict[str, None] = OrderedDict()

    def begin(self, client: str, digest: str) -> None:
        """Count an attempt, unless the key is known to work. Raises TooManyRequests."""
        with self._lock:
            if digest in self._working:
                return
            now = time.monotonic()
            count, ends_at = self._counts.get(client, (0, 0.0))
            if ends_at <= now:
                count, ends_at = 0, now + WINDOW_SECONDS
            if count >= settings.MAX_WRONG_KEYS_PER_MINUTE:
                raise TooManyRequests(math.ceil(ends_at - now), _TOO_MANY)
            self._counts[client] = count + 1, ends_at
            _keep_newest(self._counts, client)

    def succeed(self, client: str, digest: str) -> None:
        """Note that the key works, and count the attempt no more."""
        with self._lock:
            if digest not in self._working:
                self._take_back(client)
            self._working[digest] = None
            _keep_newest(self._working, digest)

    def fail(self, digest: str) -> None:
        """Leave the attempt counted. A key that worked before is revoked or has expired."""
        with self._lock:
            self._working.pop(digest, None)

    def give_back(self, client: str) -> None:
        """Count the attempt no more: nothing was found out about the key."""
        with self._lock:
            self._take_back(client)

    def _take_back(self, client: str) -> None:
        count, ends_at = self._counts.get(client, (0, 0.0))
        if count:
            self._counts[client] = count - 1, ends_at


def _keep_newest(values: OrderedDict[str, Any], name: str) -> None:
    values.move_to_end(name)
    if len(values) > MAX_REMEMBERED:
        values.popitem(last=False)


_attempts = _Attempts()
