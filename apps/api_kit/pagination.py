"""Lists that stay quick however long: a page begins after the last row seen, never at a number.

A cursor is opaque to callers: the moment and the id of the last row of a page. It carries no
right: it moves within the rows that the caller may see anyway. Whatever has its form is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from apps.core.errors import ValidationFailed
from apps.core.ids import ID_LENGTH, to_base36

M = TypeVar("M", bound=Model)
MOST_ROWS = 100

_MOMENT_DIGITS = 11
CURSOR_PATTERN = rf"^[0-9a-z]{{{_MOMENT_DIGITS}}}c[0-9a-z]{{{ID_LENGTH - 1}}}$"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows, and the cursor of the page after them if there are more."""

    rows: list[M]
    next_cursor: str | None


def paginate_newest_first(
    rows: QuerySet[M], *, cursor: str | None, limit: int, order_field: str = "created_at"
) -> Page[M]:
    """A page of rows from the newest to the oldest by the moment `order_field`, then by id.

    Callers from outside may ask for a `limit` of 1 to 100. Raises ValidationFailed for a cursor
    that no page gave.
    """
    rows = rows.order_by(f"-{order_field}", "-id")
    if cursor is not None:
        moment, id = _decode_cursor(cursor)
        # The first condition is what an index over (…, by, id) begins to read at.
        rows = rows.filter(Q(**{f"{order_field}__lte": moment})).filter(
            Q(**{f"{order_field}__lt": moment}) | Q(id__lt=id)
        )
    return _page(rows, limit, order_field)


def paginate_oldest_first(
    rows: QuerySet[M], *, cursor: str | None, limit: int, order_field: str = "created_at"
) -> Page[M]:
    """The same from the oldest to the newest."""
    rows = rows.order_by(order_field, "id")
    if cursor is not None:
        moment, id = _decode_cursor(cursor)
        rows = rows.filter(Q(**{f"{order_field}__gte": moment})).filter(
            Q(**{f"{order_field}__gt": moment}) | Q(id__gt=id)
        )
    return _page(rows, limit, order_field)


def _page(rows: QuerySet[M], limit: int, by: str) -> Page[M]:
    found = list(rows[: limit + 1])
    page = found[:limit]
    more = len(found) > limit
    return Page(page, encode_cursor(getattr(page[-1], by), str(page[-1].pk)) if more else None)


def encode_cursor(moment: datetime, id: str) -> str:
    """The cursor of the page that begins after this row."""
    return to_base36((moment - _EPOCH) // _MICROSECOND, _MOMENT_DIGITS) + id


def _decode_cursor(cursor: str) -> tuple[datetime, str]:
    if not re.fullmatch(CURSOR_PATTERN, cursor):
        raise ValidationFailed({"cursor": ["This is not a cursor of this list."]})
    moment = _EPOCH + int(cursor[:_MOMENT_DIGITS], 36) * _MICROSECOND
    return moment, cursor[_MOMENT_DIGITS:]
