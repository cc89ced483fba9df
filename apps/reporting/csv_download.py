"""Stream lists as CSV files."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse

from apps.api_kit.pagination import Page, paginate_newest_first
from apps.core.csv_text import BYTE_ORDER_MARK, csv_lines
from apps.infrastructure.postgres.threads import in_thread

M = TypeVar("M", bound=Model)
C = TypeVar("C")
Batch = tuple[str, C | None]
"""Lines of a file and the cursor of the next batch, None at the end."""
CSV_BATCH_SIZE = 500
"""Rows that are held in memory at a time."""


def csv_response(
    name: str, header: Sequence[str], rows: QuerySet[M], line: Callable[[M], Sequence[object]]
) -> StreamingHttpResponse:
    """Return a response that streams all rows, newest first, as a CSV file.

    Rows are read in batches, without a transaction that stays open for a slow client. Rows that
    are added during the download are not included.
    """

    def batch(cursor: str | None) -> Batch[str]:
        page: Page[M] = paginate_newest_first(rows, cursor=cursor, limit=CSV_BATCH_SIZE)
        return csv_lines(line(row) for row in page.rows), page.next_cursor

    return stream_csv(name, header, batch)


def stream_csv(
    name: str, header: Sequence[str], batch: Callable[[C | None], Batch[C]]
) -> StreamingHttpResponse:
    """Return a response that streams batches: `batch(None)`, then `batch(cursor)` until None.

    These files are downloaded by people, so they begin with a byte order mark.
    """

    async def lines() -> AsyncIterator[str]:
        yield BYTE_ORDER_MARK + csv_lines([header])
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
