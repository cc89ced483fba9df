"""Lists that leave as files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse

from apps.api_kit.pagination import Page, paginate_newest_first
from apps.core.csv_text import csv_lines
from apps.infrastructure.postgres.threads import in_thread

M = TypeVar("M", bound=Model)
C = TypeVar("C")
Batch = tuple[str, C | None]
"""Lines of a file, and where to go on; None at its end."""
CSV_BATCH_SIZE = 500
"""Rows that are read, written and let go at a time."""


def csv_response(
    name: str, header: Sequence[str], rows: QuerySet[M], line: Callable[[M], Sequence[object]]
) -> StreamingHttpResponse:
    """All the rows, newest first, as a CSV file that is sent while it is read.

    However many there are, few are held at once, and no transaction is open while a slow reader
    takes its time: a row that is added meanwhile is not in it.
    """

    def batch(cursor: str | None) -> Batch[str]:
        page: Page[M] = paginate_newest_first(rows, cursor=cursor, limit=CSV_BATCH_SIZE)
        return csv_lines(line(row) for row in page.rows), page.next_cursor

    return stream_csv(name, header, batch)


def stream_csv(
    name: str, header: Sequence[str], batch: Callable[[C | None], Batch[C]]
) -> StreamingHttpResponse:
    """A CSV file of batches: the first is asked for with None, each next with what came before."""

    async def lines() -> AsyncIterator[str]:
        yield csv_lines([header])
        text, cursor = await in_thread(batch, None)
        yield text
        while cursor is not None:
            text, cursor = await in_thread(batch, cursor)
            yield text

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
