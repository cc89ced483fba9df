"""Opaque ids: `c`, then 9 characters of time and 15 of chance, all lowercase base36.

The time part (milliseconds since 1970) makes ids of one table sort roughly by age, which keeps
PostgreSQL's indexes compact; the 77 random bits make them unguessable and free of collisions.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from datetime import UTC, datetime

ID_LENGTH = 25
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS = 9
_RANDOM_DIGITS = ID_LENGTH - 1 - _TIME_DIGITS
_RANDOM_RANGE = 36**_RANDOM_DIGITS
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def new_id() -> str:
    """A new id of 25 characters."""
    now = to_base36(time.time_ns() // 1_000_000, _TIME_DIGITS)
    return f"c{now}{to_base36(random_bits() % _RANDOM_RANGE, _RANDOM_DIGITS)}"


def first_id_at(moment: datetime) -> str:
    """The least id that could be made from this moment on: rows made since have none below it."""
    return f"c{to_base36(int(moment.timestamp() * 1000), _TIME_DIGITS)}{'0' * _RANDOM_DIGITS}"


NIL_ID = "c" + "0" * (ID_LENGTH - 1)
"""An id that is never made: it names no row."""


def is_id(value: str) -> bool:
    """Whether the text could be an id. Anything else cannot name a row."""
    return len(value) == ID_LENGTH and value[0] == "c" and all(c in _DIGITS for c in value)


def to_base36(number: int, width: int) -> str:
    """The number in so many digits, 0–9 and a–z; what does not fit is cut off in front."""
    pairs = []
    for _ in range((width + 1) // 2):
        number, pair = divmod(number, 1296)
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))[-width:]


_CHANCE_BYTES = 16
_CHANCES = 128
_chances: deque[int] = deque()


def random_bits() -> int:
    """A number of 128 bits that nobody can guess.

    Fetched from the system many at a time: each fetch lets go of the interpreter, and a busy
    process may wait for milliseconds to get it back.
    """
    try:
        return _chances.popleft()
    except IndexError:
        fetched = os.urandom(_CHANCE_BYTES * _CHANCES)
        _chances.extend(
            int.from_bytes(fetched[at : at + _CHANCE_BYTES], "little")
            for at in range(_CHANCE_BYTES, len(fetched), _CHANCE_BYTES)
        )
        return int.from_bytes(fetched[:_CHANCE_BYTES], "little")


# A forked process must not draw what its parent draws.
os.register_at_fork(after_in_child=_chances.clear)


_REQUEST = re.compile(r"req_([0-9a-f]{12})[0-9a-f]{12}")


def new_request_id() -> str:
    """An id for one request: `req_`, 12 hexadecimal digits of time and 12 of chance."""
    return request_id_at(time.time_ns() // 1_000_000, random_bits() >> 80)


def request_id_at(milliseconds: int, random_part: int) -> str:
    """The id of a request of this moment (Unix milliseconds), with 48 random bits."""
    return f"req_{milliseconds:012x}{random_part:012x}"


def request_id_time(request_id: str) -> datetime | None:
    """When a request of this id arrived; None for what is no such id.

    It is how the few turns around that moment can be asked for the one that the request opened,
    without an index that every turn would have to pay for.
    """
    found = _REQUEST.fullmatch(request_id)
    if found is None:
        return None
    seconds = int(found[1], 16) / 1000
    return datetime.fromtimestamp(seconds, UTC) if seconds < _LAST_SECOND else None


_LAST_SECOND = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
