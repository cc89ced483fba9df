"""The pages of the live generation: they are fetched again only if they have changed."""

from collections.abc import Mapping

from apps.knowledge.fetching.crawling.outcomes import PageFetched
from apps.knowledge.fetching.types import KnownPage, Validators
from apps.knowledge.models import Document, DocumentStatus, Generation, Source, SourceType

EarlierPages = Mapping[str, Document]
"""Documents that are live and have chunks, by the address under which a crawl visits them."""


def earlier_pages(source: Source, start_url: str) -> EarlierPages:
    """The pages of the live generation; none if it began at another address."""
    live = Generation.objects.filter(
        workspace_id=source.workspace_id, id=source.live_generation_id, start_url=start_url
    )
    documents = Document.objects.filter(
        workspace_id=source.workspace_id,
        generation__in=live,
        status=DocumentStatus.READY,
    )
    if source.type == SourceType.PAGE:  # visited by this address, wherever it redirects to
        page = documents.first()
        return {start_url: page} if page else {}
    return {document.url: document for document in documents}


def known_pages(earlier: EarlierPages) -> dict[str, KnownPage]:
    """The same, as a crawl wants it."""
    return {
        url: KnownPage(
            Validators(document.etag, document.last_modified), document.digest, document.depth
        )
        for url, document in earlier.items()
    }


def unchanged(fetched: PageFetched, earlier: EarlierPages) -> Document | None:
    """The earlier document that a page is still the same as."""
    for url in (fetched.visited, fetched.url):
        document = earlier.get(url)
        if document and (fetched.page.not_modified or fetched.page.digest == document.digest):
            return document
    return None
