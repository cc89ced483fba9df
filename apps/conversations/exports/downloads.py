"""Stream the file of an export."""

from collections.abc import AsyncIterator

from django.http import StreamingHttpResponse

from apps.conversations.exports.queries import get_part_body
from apps.conversations.models.export import Export, ExportFormat
from apps.core.csv_text import BYTE_ORDER_MARK
from apps.infrastructure.postgres.threads import in_thread

CONTENT_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/jsonl; charset=utf-8",
}


def export_response(export: Export, *, is_for_people: bool = False) -> StreamingHttpResponse:
    """Return a response that streams the file of a completed export, one part at a time.

    A CSV file for people begins with a byte order mark, without which Excel shows other letters.
    Content-Length lets a client detect a file that was deleted during the download.
    """
    has_mark = is_for_people and export.format == ExportFormat.CSV
    mark = BYTE_ORDER_MARK.encode() if has_mark else b""

    async def parts() -> AsyncIterator[bytes]:
        if mark:
            yield mark
        for number in range(export.parts):
            body = await in_thread(get_part_body, export, number)
            if body is None:
                return
            yield body

    day = export.created_at.date().isoformat()
    return StreamingHttpResponse(
        parts(),
        content_type=CONTENT_TYPES[ExportFormat(export.format)],
        headers={
            "Content-Disposition": f'attachment; filename="conversations-{day}.{export.format}"',
            "Content-Length": str(len(mark) + export.size),
            "Cache-Control": "no-store",
        },
    )
