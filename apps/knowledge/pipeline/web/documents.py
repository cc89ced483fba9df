"""What becomes of an address that a crawl looked at."""

from urllib.parse import unquote, urlsplit

from apps.knowledge.chunking.split import split_into_chunks
from apps.knowledge.errors import IndexingDelayed
from apps.knowledge.fetching.crawling.outcomes import CrawlOutcome, PageFailed, PageFetched
from apps.knowledge.fetching.types import Validators
from apps.knowledge.fetching.urls import readable
from apps.knowledge.models import Document, DocumentStatus
from apps.knowledge.parsing.parse import Parsed, Unparsed
from apps.knowledge.parsing.types import ParsingFailed
from apps.knowledge.pipeline.storing import NewDocument
from apps.knowledge.pipeline.web.earlier import EarlierPages, unchanged

NO_CHUNKS = "The page has no text."
KEPT = "What was read before is kept."


def unparsed(fetched: PageFetched) -> Unparsed:
    """The page as the parser gets it. The name in its address tells CSV and Markdown from text."""
    return Unparsed(
        fetched.page.body,
        filename=unquote(urlsplit(fetched.url).path.rpartition("/")[2]),
        content_type=fetched.page.content_type,
        url=fetched.url,
    )


def document_of(
    outcome: CrawlOutcome, position: int, earlier: EarlierPages, parsed: Parsed | None
) -> NewDocument:
    """The document of an address. `parsed`: what became of a page that was read.

    Raises IndexingDelayed if it could not be read for a fault of ours.
    """
    if isinstance(outcome, PageFetched):
        same = unchanged(outcome, earlier)
        if same is not None:
            validators = outcome.page.validators
            return copy_of(same, position, outcome.url, outcome.depth, validators=validators)
        return _document_of_page(outcome, position, parsed)
    if isinstance(outcome, PageFailed):
        document = earlier.get(outcome.url)
        if document is not None and outcome.is_temporary:
            reason = f"{outcome.reason} {KEPT}"
            return copy_of(document, position, document.url, document.depth, reason=reason)
        return _without_chunks(position, outcome.url, DocumentStatus.FAILED, outcome.reason)
    return _without_chunks(position, outcome.url, DocumentStatus.SKIPPED, outcome.reason)


def copy_of(
    document: Document,
    position: int,
    url: str,
    depth: int,
    *,
    validators: Validators | None = None,
    reason: str = "",
) -> NewDocument:
    """A document with the chunks of an earlier one. `reason`: why the page was not looked at."""
    return NewDocument(
        position=position,
        url=url,
        title=document.title,
        reason=reason,
        etag=validators.etag if validators else document.etag,
        last_modified=validators.last_modified if validators else document.last_modified,
        digest=document.digest,
        bytes=document.bytes,
        depth=depth,
        copied_from=document.id,
    )


def _document_of_page(fetched: PageFetched, position: int, parsed: Parsed | None) -> NewDocument:
    if parsed is None:
        raise ValueError("The page was not parsed.")
    if isinstance(parsed, ParsingFailed):
        if parsed.code == "unavailable":
            raise IndexingDelayed(str(parsed), seconds=30) from parsed
        return _without_chunks(position, fetched.url, DocumentStatus.FAILED, str(parsed))
    chunks = split_into_chunks(parsed)
    if not chunks:
        return _without_chunks(position, fetched.url, DocumentStatus.FAILED, NO_CHUNKS)
    return NewDocument(
        position=position,
        url=fetched.url,
        title=parsed.title or readable(fetched.url),
        etag=fetched.page.validators.etag,
        last_modified=fetched.page.validators.last_modified,
        digest=fetched.page.digest,
        bytes=len(fetched.page.body),
        depth=fetched.depth,
        chunks=chunks,
    )


def _without_chunks(position: int, url: str, status: DocumentStatus, reason: str) -> NewDocument:
    return NewDocument(position=position, url=url, status=status, reason=reason)
