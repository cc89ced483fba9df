"""Send the file of a source, as it was uploaded."""

from collections.abc import AsyncIterator

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.infrastructure.postgres.threads import in_thread
from apps.knowledge.models import SourceFile
from apps.knowledge.queries import read_file_part

PART_BYTES = 1024 * 1024


def file_response(file: SourceFile) -> StreamingHttpResponse:
    """A response that saves the file, a part in memory at a time.

    Whatever it is, a browser neither shows nor runs it: it comes from somebody whom we do not know,
    and would have the rights of our own pages.
    """

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, file.size, PART_BYTES):
            part = await in_thread(read_file_part, file, start, PART_BYTES)
            if not part:  # deleted meanwhile
                return
            yield part

    return StreamingHttpResponse(
        parts(),
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": content_disposition_header(True, file.name) or "attachment",
            "Content-Length": str(file.size),
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )
