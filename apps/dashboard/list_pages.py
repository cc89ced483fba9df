"""A page of a list, and the links around it. Every list of the dashboard turns its pages so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.api_kit.pagination import paginate_newest_first
from apps.core.errors import ValidationFailed

M = TypeVar("M", bound=Model)
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class ListPage(Generic[M]):
    """Rows, newest first, and where the newest and the older ones are."""

    rows: list[M]
    first_url: str | None
    next_url: str | None


def paginate(
    request: HttpRequest,
    rows: QuerySet[M],
    *,
    limit: int = PAGE_SIZE,
    order_field: str = "created_at",
) -> ListPage[M]:
    """The page that `?cursor=` names; the first, where it names none that there could be."""
    query = request.GET.copy()
    cursor: str | None = query.get("cursor") or None
    for name in [name for name, value in query.items() if not value or name == "cursor"]:
        del query[name]
    try:
        page = paginate_newest_first(rows, cursor=cursor, limit=limit, order_field=order_field)
    except ValidationFailed:
        cursor, page = (
            None,
            paginate_newest_first(rows, cursor=None, limit=limit, order_field=order_field),
        )
    first_url = f"?{query.urlencode()}" if cursor else None
    next_url = None
    if page.next_cursor:
        query["cursor"] = page.next_cursor
        next_url = f"?{query.urlencode()}"
    return ListPage(page.rows, first_url, next_url)
