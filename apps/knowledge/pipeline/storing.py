"""Store the documents of a generation, each with its chunks in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from apps.core.ids import new_id
from apps.core.search_words import build_tsvector
from apps.core.text import legible_file_name
from apps.knowledge.chunking.split import embedded_text, make_chunk
from apps.knowledge.chunking.types import ChunkText
from apps.knowledge.models import (
    Chunk,
    ChunkOverride,
    Document,
    DocumentStatus,
    Generation,
    Source,
)
from apps.knowledge.pipeline.claiming import lock_claimed
from apps.knowledge.pipeline.room import require_room

_INSERT_CHUNKS = """
INSERT INTO knowledge_chunk (id, workspace_id, knowledge_base_id, generation_id, document_id,
  position, heading_path, text, page, tokens, digest, is_enabled, is_edited, words)
SELECT id, %(workspace)s, %(base)s, %(generation)s, %(document)s,
  position, heading_path, text, page, tokens, digest, is_enabled, is_edited,
  words::tsvector
FROM json_to_recordset(%(rows)s::json) AS chunk (
  id text, position int, heading_path text[], text text, page int, tokens int, digest text,
  is_enabled bool, is_edited bool, words text)
"""

_COPY_CHUNKS = """
INSERT INTO knowledge_chunk (id, workspace_id, knowledge_base_id, generation_id, document_id,
  position, heading_path, text, page, tokens, digest, is_enabled, is_edited, words)
SELECT new.id, workspace_id, knowledge_base_id, %(generation)s, %(document)s,
  chunk.position, heading_path, text, page, tokens, digest, is_enabled, is_edited, words
FROM knowledge_chunk AS chunk
JOIN json_to_recordset(%(ids)s::json) AS new (position int, id text) USING (position)
WHERE chunk.workspace_id = %(workspace)s AND chunk.document_id = %(copied_from)s
"""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to store. `reason` says why one without chunks has none.

    `copied_from`: the id of a document of the source whose chunks it has, as they are.
    """

    position: int
    url: str = ""
    title: str = ""
    status: DocumentStatus = DocumentStatus.READY
    reason: str = ""
    etag: str = ""
    last_modified: str = ""
    digest: str = ""
    bytes: int = 0
    depth: int = 0
    copied_from: str = ""
    chunks: Sequence[ChunkText] = field(default=(), repr=False)


@transaction.atomic
def store_document(source: Source, generation: Generation, new: NewDocument) -> None:
    """Store a document and its chunks. A document that is stored already is left as it is.

    Raises ClaimLost.
    """
    lock_claimed(source)
    stored = Document.objects.filter(generation=generation, position=new.position)
    if not stored.exists():
        store_documents(source, generation, [new])


@transaction.atomic
def store_documents(
    source: Source, generation: Generation, documents: Sequence[NewDocument]
) -> None:
    """Store new documents with their chunks. Raises ClaimLost, and IndexingFailed if the workspace
    would have too many chunks."""
    lock_claimed(source)
    require_room(
        source,
        chunks=sum(len(new.chunks) for new in documents if not new.copied_from),
        copied_from=[new.copied_from for new in documents if new.copied_from],
    )
    rows = [_row(source, generation, new) for new in documents]
    Document.objects.bulk_create(rows)
    for row, new in zip(rows, documents, strict=True):
        if new.copied_from:
            _copy_chunks(row, new.copied_from)
        elif new.chunks:
            _insert_chunks(source, row, new.chunks)


def _row(source: Source, generation: Generation, new: NewDocument) -> Document:
    return Document(
        workspace_id=source.workspace_id,
        generation=generation,
        position=new.position,
        url=new.url,
        title=legible_file_name(new.title[:300], default=""),
        status=new.status,
        reason=new.reason[:500],
        etag=_validator(new.etag, max_length=300),
        last_modified=_validator(new.last_modified, max_length=100),
        digest=new.digest,
        bytes=new.bytes,
        depth=new.depth,
    )


def _validator(value: str, *, max_length: int) -> str:
    """What a site sent, if it can be sent back: part of a validator would match nothing."""
    return value if len(value) <= max_length and value.isascii() and value.isprintable() else ""


def _copy_chunks(document: Document, copied_from: str) -> None:
    """Give a document the chunks of another. Their vectors are copied later, with all others."""
    chunks = Chunk.objects.filter(workspace_id=document.workspace_id, document_id=copied_from)
    ids = {position: new_id() for position in chunks.values_list("position", flat=True)}
    with connection.cursor() as cursor:
        cursor.execute(
            _COPY_CHUNKS,
            {
                "workspace": document.workspace_id,
                "generation": document.generation_id,
                "document": document.id,
                "copied_from": copied_from,
                "ids": json.dumps([{"position": at, "id": each} for at, each in ids.items()]),
            },
        )


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
                "words": build_tsvector(searched),
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
