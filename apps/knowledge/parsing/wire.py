"""How the child process gives its result to its parent: JSON in a file."""

import json
from typing import Any

from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument, ParsingFailed


def encode_document(document: ParsedDocument) -> bytes:
    """The document as JSON."""
    blocks = [(block.kind, block.text, block.level, block.page) for block in document.blocks]
    return _encode(
        {
            "title": document.title,
            "blocks": blocks,
            "media_type": document.media_type,
            "pages": document.pages,
            "canonical_url": document.canonical_url,
            "links": document.links,
        }
    )


def encode_failure(error: ParsingFailed) -> bytes:
    """The failure as JSON."""
    return _encode({"failed": error.code, "message": str(error)})


def decode_result(data: bytes) -> ParsedDocument:
    """The document. Raises ParsingFailed if the child did, and ValueError if it wrote nonsense."""
    try:
        result = json.loads(data)
        if "failed" in result:
            raise ParsingFailed(str(result["failed"]), str(result["message"]))
        return ParsedDocument(
            title=str(result["title"]),
            blocks=tuple(_block(*each) for each in result["blocks"]),
            media_type=str(result["media_type"]),
            pages=result["pages"],
            canonical_url=str(result["canonical_url"]),
            links=tuple(map(str, result["links"])),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _block(kind: str, text: str, level: int, page: int | None) -> Block:
    return Block(BlockKind(kind), str(text), int(level), page and int(page))


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
