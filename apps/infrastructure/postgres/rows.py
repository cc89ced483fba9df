"""Fetch one row of a query."""

from typing import TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def first_or_raise(rows: QuerySet[M], error: type[Exception]) -> M:
    """Return the first row. Raises `error` if there is none."""
    row = rows.first()
    if row is None:
        raise error
    return row
