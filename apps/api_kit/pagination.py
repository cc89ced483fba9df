"""Keyset pagination: a page begins after the last row seen, so long lists stay fast.

A cursor encodes the time and the id of a page's last row and is opaque to callers. It grants no
access: it only moves within the rows that the caller may see anyway.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Literal, TypeVar

from django.db.models import Model, Q, QuerySet

from apps.core.errors import ValidationFailed
from apps.core.ids import ID_LENGTH, to_base36

M = TypeVar("M", bound=Model)
_TIME_DIGITS = 11
CURSOR_PATTERN = rf"^[0-9a-z]{{{_TIME_DIGITS}}}c[0-9a-z]{{{ID_LENGTH - 1}}}$"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows, and the cursor of the next page if there is one."""

    rows: list[M]
    next_cursor: str | None


def paginate_newest_first(
    rows: QuerySet[M], *, cursor: str | None, limit: int, order_field: str = "created_at"
) -> Page[M]:
    """A page of rows, newest first by the time `order_field`, then by id.

    Raises ValidationFailed for a malformed cursor.
    """
    return _page(rows.order_by(f"-{order_field}", "-id"), cursor, limit, order_field, "lt")


def paginate_oldest_first(
    rows: QuerySet[M], *, cursor: str | None, limit: int, order_field: str = "created_at"
) -> Page[M]:
    """A page of rows, oldest first. See `paginate_newest_first`."""
    return _page(rows.order_by(order_field, "id"), cursor, limit, order_field, "gt")


def _page(
    rows: QuerySet[M], cursor: str | None, limit: int, order_field: str, lookup: Literal["lt", "gt"]
) -> Page[M]:
    if cursor is not None:
        time, id = _decode_cursor(cursor)
        # The first condition is where a scan of an index over (…, order_field, id) begins.
        rows = rows.filter(Q(**{f"{order_field}__{lookup}e": time})).filter(
            Q(**{f"{order_field}__{lookup}": time}) | Q(**{f"id__{lookup}": id})
        )
    found = list(rows[: limit + 1])
    page = found[:limit]
    if len(found) <= limit:
        return Page(page, None)
    return Page(page, encode_cursor(getattr(page[-1], order_field), str(page[-1].pk)))


def encode_cursor(time: datetime, id: str) -> str:
    """The cursor of the page that begins after the row with this time and id."""
    return to_base36((time - _EPOCH) // _MICROSECOND, _TIME_DIGITS) + id


def _decode_cursor(cursor: str) -> tuple[datetime, str]:
    if not re.fullmatch(CURSOR_PATTERN, cursor):
        raise ValidationFailed({"cursor": ["This is not a cursor of this list."]})
    time = _EPOCH + int(cursor[:_TIME_DIGITS], 36) * _MICROSECOND
    return time, cursor[_TIME_DIGITS:]
