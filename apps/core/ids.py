"""Ids: `c`, 9 characters of time and 15 of random bits, all lowercase base36.

The time part (milliseconds since 1970) makes ids of one table sort roughly by age, which keeps
PostgreSQL's indexes compact; the 77 random bits make them unguessable and free of collisions.
"""

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
_DIGIT_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def new_id() -> str:
    """Create an id of 25 characters."""
    return id_at(time.time_ns() // 1_000_000, random_bits())


def id_at(milliseconds: int, random_part: int) -> str:
    """Build an id from a time (Unix milliseconds) and random bits."""
    time_part = to_base36(milliseconds, _TIME_DIGITS)
    return f"c{time_part}{to_base36(random_part % _RANDOM_RANGE, _RANDOM_DIGITS)}"


def min_id_at(moment: datetime) -> str:
    """The smallest id that can be created at this moment: later rows have larger ones."""
    return f"c{to_base36(int(moment.timestamp() * 1000), _TIME_DIGITS)}{'0' * _RANDOM_DIGITS}"


NIL_ID = "c" + "0" * (ID_LENGTH - 1)
"""A valid id that is never created, so no row has it."""


def is_id(value: str) -> bool:
    """Whether the text has the form of an id."""
    return len(value) == ID_LENGTH and value[0] == "c" and all(c in _DIGITS for c in value)


def to_base36(number: int, width: int) -> str:
    """Encode the number in `width` digits, 0–9 and a–z; excess leading digits are cut off."""
    pairs = []
    for _ in range((width + 1) // 2):
        number, pair = divmod(number, 1296)
        pairs.append(_DIGIT_PAIRS[pair])
    return "".join(reversed(pairs))[-width:]


_BATCH_SIZE = 128
_BYTES = 16
_random_numbers: deque[int] = deque()


def random_bits() -> int:
    """Return 128 unguessable random bits as a number.

    They are fetched from the system in batches: each fetch releases the GIL, and a busy process may
    wait for milliseconds to get it back.
    """
    try:
        return _random_numbers.popleft()
    except IndexError:
        fetched = os.urandom(_BYTES * _BATCH_SIZE)
        _random_numbers.extend(
            int.from_bytes(fetched[start : start + _BYTES], "little")
            for start in range(_BYTES, len(fetched), _BYTES)
        )
        return int.from_bytes(fetched[:_BYTES], "little")


# A forked process must not use the same numbers as its parent.
os.register_at_fork(after_in_child=_random_numbers.clear)


_REQUEST_ID = re.compile(r"req_([0-9a-f]{12})[0-9a-f]{12}")
_MAX_SECONDS = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


def new_request_id() -> str:
    """Create the id of a request: `req_`, 12 hexadecimal digits of time and 12 random ones."""
    return request_id_at(time.time_ns() // 1_000_000, random_bits() >> 80)


def request_id_at(milliseconds: int, random_part: int) -> str:
    """Build a request id from a time (Unix milliseconds) and 48 random bits."""
    return f"req_{milliseconds:012x}{random_part:012x}"


def request_id_time(request_id: str) -> datetime | None:
    """When the request with this id arrived; None if the text is not a request id.

    With it the request's turn is found among the few turns around that time, without an index on
    request ids that every turn would have to maintain.
    """
    match = _REQUEST_ID.fullmatch(request_id)
    if match is None:
        return None
    seconds = int(match[1], 16) / 1000
    return datetime.fromtimestamp(seconds, UTC) if seconds < _MAX_SECONDS else None
