"""The tokens of a source's live chunks, as the sandbox's embedding models report them."""

from __future__ import annotations

from apps.knowledge.chunking.split import embedded_text, make_chunk
from apps.knowledge.models import Source
from apps.knowledge.queries import live_chunks


def tokens_of(source: Source) -> int:
    """Their words, with those of the headings above each."""
    chunks = [
        make_chunk(chunk.position, tuple(chunk.heading_path), chunk.text, chunk.page)
        for chunk in live_chunks(source)
    ]
    return sum(len(embedded_text(chunk).split()) for chunk in chunks)
