"""Read the documents of a source and store them."""

import hashlib

from apps.knowledge.chunking.split import split_into_chunks
from apps.knowledge.errors import IndexingDelayed, IndexingFailed
from apps.knowledge.fetching.types import FetchOptions
from apps.knowledge.models import (
    DocumentStatus,
    Generation,
    Source,
    SourceFile,
    SourceStatus,
    SourceType,
)
from apps.knowledge.models.sources import WEB_TYPES
from apps.knowledge.parsing.parse import parse
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument, ParsingFailed
from apps.knowledge.pipeline.claiming import update_claimed
from apps.knowledge.pipeline.storing import NewDocument, store_document
from apps.knowledge.pipeline.web.reading import read_pages


def read_documents(
    source: Source, generation: Generation, *, options: FetchOptions, deadline: float
) -> None:
    """Store the documents of a source.

    Raises IndexingFailed, IndexingDelayed, IndexingPaused or ClaimLost.
    """
    if source.type in WEB_TYPES:
        read_pages(source, generation, options=options, deadline=deadline)
    else:
        _read_document(source, generation)


def _read_document(source: Source, generation: Generation) -> None:
    update_claimed(source, status=SourceStatus.PARSING, progress_done=0, progress_total=1)
    if source.type == SourceType.FILE:
        document, size = _read_file(source)
    else:
        document, size = _read_text(source), len(source.text.encode())
    chunks = split_into_chunks(document)
    if not chunks:
        raise IndexingFailed("There is no text in it.")
    store_document(
        source,
        generation,
        NewDocument(
            position=0,
            title=document.title or source.title,
            status=DocumentStatus.READY,
            digest=_digest(document),
            bytes=size,
            chunks=chunks,
        ),
    )
    update_claimed(source, progress_done=1)


def _read_file(source: Source) -> tuple[ParsedDocument, int]:
    file = SourceFile.objects.get(workspace_id=source.workspace_id, source=source)
    document = _parse(bytes(file.body), filename=file.name, content_type=file.content_type)
    return document, file.size


def _parse(data: bytes, *, filename: str, content_type: str) -> ParsedDocument:
    try:
        return parse(data, filename=filename, content_type=content_type)
    except ParsingFailed as failure:
        if failure.code == "unavailable":
            raise IndexingDelayed(str(failure), seconds=30) from failure
        raise IndexingFailed(str(failure)) from failure


def _read_text(source: Source) -> ParsedDocument:
    """A text or an answer as its owner wrote it: Markdown. An answer comes after its questions."""
    document = _parse(source.text.encode(), filename="text.md", content_type="text/markdown")
    questions = [Block(BlockKind.PARAGRAPH, " ".join(each.split())) for each in source.questions]
    return ParsedDocument(
        title="" if source.type == SourceType.QNA else source.title,
        blocks=(*questions, *document.blocks),
        media_type=document.media_type,
    )


def _digest(document: ParsedDocument) -> str:
    texts = "\0".join(block.text for block in document.blocks)
    return hashlib.sha256(texts.encode()).hexdigest()
