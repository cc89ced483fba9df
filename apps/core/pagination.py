"""Lists that stay quick however long: a page begins after the last row seen, never at a number.

A cursor is opaque to callers: the moment and the id of the last row of a page, in base64. It
carries no right: it moves within the rows that the caller may see anyway.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from apps.core.errors import ValidationFailed
from apps.core.ids import is_id

M = TypeVar("M", bound=Model)
MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows, and the cursor of the page after them if there are more."""

    rows: list[M]
    next_cursor: str | None


def newest_first(
    rows: QuerySet[M], *, cursor: str | None, limit: int, by: str = "created_at"
) -> Page[M]:
    """A page of rows from the newest to the oldest by the moment `by`, then by id.

    Callers from outside may ask for a `limit` of 1 to 100. Raises ValidationFailed for a cursor
    that no page gave.
    """
    rows = rows.order_by(f"-{by}", "-id")
    if cursor is not None:
        moment, id = _read(cursor)
        # The first condition is what an index over (…, by, id) begins to read at.
        rows = rows.filter(Q(**{f"{by}__lte": moment})).filter(
            Q(**{f"{by}__lt": moment}) | Q(id__lt=id)
        )
    found = list(rows[: limit + 1])
    page = found[:limit]
    more = len(found) > limit
    return Page(page, cursor_of(getattr(page[-1], by), str(page[-1].pk)) if more else None)


def cursor_of(moment: datetime, id: str) -> str:
    """The cursor of the page that begins after this row."""
    return urlsafe_b64encode(f"{moment.isoformat()} {id}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, id = text.partition(" ")
        read = datetime.fromisoformat(moment)
    except ValueError:
        read, id = None, ""
    if read is None or read.tzinfo is None or not is_id(id):
        raise ValidationFailed({"cursor": ["This is not a cursor of this list."]})
    return read, id
