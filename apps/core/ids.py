"""Opaque ids: `c`, then 9 characters of time and 15 of chance, all lowercase base36.

The time part (milliseconds since 1970) makes ids of one table sort roughly by age, which keeps
PostgreSQL's indexes compact; the 77 random bits make them unguessable and free of collisions.
"""

from __future__ import annotations

import secrets
import time

from django.db import models

LENGTH = 25
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS = 9
_RANDOM_DIGITS = LENGTH - 1 - _TIME_DIGITS
_RANDOM_RANGE = 36**_RANDOM_DIGITS


def new_id() -> str:
    """A new id of 25 characters."""
    now = _base36(time.time_ns() // 1_000_000, _TIME_DIGITS)
    return f"c{now}{_base36(secrets.randbelow(_RANDOM_RANGE), _RANDOM_DIGITS)}"


NO_ID = "c" + "0" * (LENGTH - 1)
"""An id that is never made: it names no row."""


def is_id(value: str) -> bool:
    """Whether the text could be an id. Anything else cannot name a row."""
    return len(value) == LENGTH and value[0] == "c" and all(c in _DIGITS for c in value)


def _base36(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


class IdField(models.CharField):  # type: ignore[type-arg]
    """A primary key made by `new_id`, compared byte by byte."""

    def __init__(self, **options: object) -> None:
        options |= {
            "primary_key": True,
            "max_length": LENGTH,
            "default": new_id,
            "editable": False,
            "db_collation": "C",
        }
        super().__init__(**options)  # type: ignore[arg-type]

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, path, arguments, options = super().deconstruct()
        for fixed in ("primary_key", "max_length", "default", "editable", "db_collation"):
            options.pop(fixed, None)
        return name, path, list(arguments), options
