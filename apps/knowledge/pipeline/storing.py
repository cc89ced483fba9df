"""Store the documents of a generation, each with its chunks in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from apps.core.ids import new_id
from apps.core.search_words import extract_words
from apps.core.text import legible_file_name
from apps.knowledge.chunking.split import embedded_text, make_chunk
from apps.knowledge.chunking.types import ChunkText
from apps.knowledge.models import ChunkOverride, Document, DocumentStatus, Generation, Source
from apps.knowledge.pipeline.claiming import lock_claimed

_INSERT_CHUNKS = """
INSERT INTO knowledge_chunk (id, workspace_id, knowledge_base_id, generation_id, document_id,
  position, heading_path, text, page, tokens, digest, is_enabled, is_edited, words)
SELECT id, %(workspace)s, %(base)s, %(generation)s, %(document)s,
  position, heading_path, text, page, tokens, digest, is_enabled, is_edited,
  array_to_tsvector(words)
FROM json_to_recordset(%(rows)s::json) AS chunk (
  id text, position int, heading_path text[], text text, page int, tokens int, digest text,
  is_enabled bool, is_edited bool, words text[])
"""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to store. `reason` says why one without chunks has none."""

    position: int
    url: str = ""
    title: str = ""
    status: DocumentStatus = DocumentStatus.READY
    reason: str = ""
    etag: str = ""
    last_modified: str = ""
    digest: str = ""
    bytes: int = 0
    chunks: Sequence[ChunkText] = field(default=(), repr=False)


@transaction.atomic
def store_document(source: Source, generation: Generation, new: NewDocument) -> None:
    """Store a document and its chunks. A document that is stored already is left as it is.

    Raises ClaimLost.
    """
    lock_claimed(source)
    document, is_new = Document.objects.get_or_create(
        generation=generation,
        position=new.position,
        defaults={
            "workspace_id": source.workspace_id,
            "url": new.url,
            "title": legible_file_name(new.title[:300], default=""),
            "status": new.status,
            "reason": new.reason[:500],
            "etag": new.etag[:300],
            "last_modified": new.last_modified[:100],
            "digest": new.digest,
            "bytes": new.bytes,
        },
    )
    if is_new and new.chunks:
        _insert_chunks(source, document, new.chunks)


def _insert_chunks(source: Source, document: Document, chunks: Sequence[ChunkText]) -> None:
    digests = {chunk.digest for chunk in chunks}
    overrides = {
        override.digest: override
        for override in ChunkOverride.objects.filter(
            workspace_id=source.workspace_id, source=source, digest__in=digests
        )
    }
    rows = []
    for chunk in chunks:
        override = overrides.get(chunk.digest)
        edited_text = None if override is None else override.text
        text = chunk.text if edited_text is None else edited_text
        searched = embedded_text(make_chunk(chunk.position, chunk.heading_path, text, chunk.page))
        rows.append(
            {
                "id": new_id(),
                "position": chunk.position,
                "heading_path": list(chunk.heading_path),
                "text": text,
                "page": chunk.page,
                "tokens": chunk.tokens,
                "digest": chunk.digest,
                "is_enabled": override.is_enabled if override else True,
                "is_edited": edited_text is not None,
                "words": sorted(extract_words(searched)),
            }
        )
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_CHUNKS,
            {
                "workspace": source.workspace_id,
                "base": source.knowledge_base_id,
                "generation": document.generation_id,
                "document": document.id,
                "rows": json.dumps(rows),
            },
        )
