"""A chunk: what is embedded, searched and shown to a model."""

from dataclasses import dataclass

PATH_SEPARATOR = " › "


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A piece of a document of about 300 tokens.

    `position` counts from 0. `heading_path` is the document's title and the headings above the
    text. `page` is that of the first block. `tokens` is an estimate for the embedded text.
    `digest` is the SHA-256 of the embedded text in hex: chunks of the same digest can share a
    vector.
    """

    position: int
    heading_path: tuple[str, ...]
    text: str
    page: int | None
    tokens: int
    digest: str
