"""Whose turn it is at a host: one request at a time, with a pause between two, by all processes.

Visitors (workspaces) wait in a queue in which each has one place. Who comes back when it was told
to gets the next turn; whoever stays away longer loses its place. So a crawl of a thousand pages
delays another visitor of the same host by one request.

State is in Redis. While Redis is down, each process keeps the pace for itself, without a queue.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apps.core.ids import random_bits
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker
from apps.infrastructure.redis.clients import KEY_PREFIX, blocking_redis_client
from apps.knowledge.fetching.errors import HostBusy
from apps.knowledge.fetching.host_turns_scripts import END_SCRIPT, TAKE_SCRIPT
from apps.knowledge.fetching.types import FetchOptions

log = get_logger(__name__)

GRACE_SECONDS = 5.0
"""How long a visitor that should be back keeps its place."""
MAX_PAUSE_SECONDS = 3600.0
"""The longest that a host's Retry-After keeps all visitors away."""

_LEASE_MARGIN_SECONDS = 10.0
_MIN_WAIT_SECONDS = 0.05
_MAX_LOCAL_HOSTS = 10_000
_breaker = CircuitBreaker(seconds=5)


@dataclass(slots=True)
class Turn:
    """A visitor's turn. `pause_seconds`: until when after it nobody asks the host anything."""

    pause_seconds: float


class _Held(threading.local):
    """The turns that this thread has now, by host."""

    def __init__(self) -> None:
        self.turns: dict[str, Turn] = {}


_held = _Held()


@contextmanager
def turn_at(host: str, options: FetchOptions, *, interval_seconds: float) -> Iterator[Turn]:
    """Have the host to oneself for one request. Raises HostBusy if that takes too long.

    Within a turn at the same host, such as for the robots.txt of an address that it redirects to,
    the turn goes on after a pause.
    """
    if host in _held.turns:
        time.sleep(options.interval_seconds)
        yield _held.turns[host]
        return
    token = options.holder or f"{random_bits() >> 64:016x}"
    _wait_for_turn(host, options, interval_seconds, token)
    turn = _held.turns[host] = Turn(interval_seconds)
    try:
        yield turn
    finally:
        del _held.turns[host]
        _end(host, token, min(turn.pause_seconds, MAX_PAUSE_SECONDS))


def _wait_for_turn(host: str, options: FetchOptions, interval: float, token: str) -> None:
    patience_ends_at = time.monotonic() + options.patience_seconds
    while (wait := _take(host, options, interval, token)) > 0:
        if time.monotonic() + wait > patience_ends_at:
            raise HostBusy(host, wait)
        time.sleep(wait)


def _take(host: str, options: FetchOptions, interval: float, token: str) -> float:
    """Take the turn, or return in how many seconds to try again."""
    lease = 2 * options.seconds + _LEASE_MARGIN_SECONDS
    if _breaker.may_call():
        script = blocking_redis_client().register_script(TAKE_SCRIPT)
        numbers = (interval, lease, GRACE_SECONDS, _MIN_WAIT_SECONDS)
        milliseconds = [round(each * 1000) for each in numbers]
        try:
            wait = int(script(_keys(host), [options.visitor, token, *milliseconds]))
        except REDIS_ERRORS as error:
            _degrade(error)
        else:
            _breaker.close()
            return wait / 1000
    return _local_turns.take(host, token, lease)


def _end(host: str, token: str, pause: float) -> None:
    _local_turns.end(host, token, pause)
    if not _breaker.may_call():
        return  # the lease in Redis ends by itself
    script = blocking_redis_client().register_script(END_SCRIPT)
    try:
        script(_keys(host), [token, round(pause * 1000)])
        _breaker.close()
    except REDIS_ERRORS as error:
        _degrade(error)


def _keys(host: str) -> list[str]:
    return [f"{KEY_PREFIX}host:{host}:{part}" for part in ("state", "queue", "due")]


def _degrade(error: Exception) -> None:
    _breaker.open()
    log.warning("host_turns_degraded", reason=type(error).__name__)


class LocalTurns:
    """The turns of this process's threads, for the hosts that were visited last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def take(self, host: str, token: str, lease_seconds: float) -> float:
        """Take the turn and return 0, or return in how many seconds to try again."""
        with self._lock:
            now = time.monotonic()
            _, free_at = self._hosts.get(host, ("", 0.0))
            if free_at > now:
                # While another's request is under way, nobody knows for how long.
                is_leased = bool(self._hosts[host][0])
                return _MIN_WAIT_SECONDS if is_leased else max(free_at - now, _MIN_WAIT_SECONDS)
            self._hosts[host] = (token, now + lease_seconds)
            self._hosts.move_to_end(host)
            if len(self._hosts) > _MAX_LOCAL_HOSTS:
                self._hosts.popitem(last=False)
            return 0.0

    def end(self, host: str, token: str, pause_seconds: float) -> None:
        """Free the host after the pause, if the turn is still this one."""
        with self._lock:
            if host in self._hosts and self._hosts[host][0] == token:
                self._hosts[host] = ("", time.monotonic() + pause_seconds)


_local_turns = LocalTurns()
