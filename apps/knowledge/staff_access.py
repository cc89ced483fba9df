"""Let Parley's staff read a source, with a reason that the workspace's owner can see."""

from dataclasses import dataclass

from django.db import transaction

from apps.audit.services import Actor
from apps.audit.staff_access import record_reading
from apps.knowledge.models import Chunk, Source, SourceFile
from apps.knowledge.queries import live_chunks

MAX_CHUNKS = 500


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What is read of a source: what its owner entered, and its first live chunks."""

    source: Source
    file_name: str
    chunks: list[Chunk]


@transaction.atomic
def read_with_reason(*, source: Source, actor: Actor, reason: str) -> SourceReading:
    """Return the source with at most 500 of its chunks, in order.

    The reason is written to the audit log in the same transaction. Raises ValueError if it has
    fewer than 10 characters.
    """
    record_reading(source, actor=actor, action="source.read", reason=reason)
    files = SourceFile.objects.filter(workspace_id=source.workspace_id, source=source)
    file_name = files.values_list("name", flat=True).first() or ""
    chunks = list(live_chunks(source).defer("words")[:MAX_CHUNKS])
    return SourceReading(source, file_name, chunks)
