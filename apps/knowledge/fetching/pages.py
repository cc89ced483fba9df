"""Fetch one page or file."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from apps.infrastructure.http.safe_http import GetResponse
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.http_reasons import failure_of_status
from apps.knowledge.fetching.links import read_links, robots_header
from apps.knowledge.fetching.requests import Answer, Judge, Request, send
from apps.knowledge.fetching.robots import judge_by_robots
from apps.knowledge.fetching.types import FetchedPage, FetchOptions, PageLinks, Validators
from apps.knowledge.fetching.urls import entered_url

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_OFFICE = "application/vnd.openxmlformats-officedocument."
READABLE_TYPES = HTML_TYPES | {
    "text/plain",
    "text/markdown",
    "text/x-markdown",
    "text/csv",
    "application/csv",
    "application/pdf",
    "application/x-pdf",
    f"{_OFFICE}wordprocessingml.document",
    f"{_OFFICE}presentationml.presentation",
    f"{_OFFICE}spreadsheetml.sheet",
}
READABLE_EXTENSIONS = (".pdf", ".docx", ".pptx", ".xlsx", ".csv", ".md", ".markdown", ".txt")
"""Of files that servers send without a useful type."""

_VAGUE_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_ACCEPT = "text/html,application/xhtml+xml,text/markdown,text/plain,application/pdf,*/*;q=0.5"
_MAX_VALIDATOR_CHARACTERS = 500

ReadLinks = Callable[[FetchedPage], PageLinks]
"""Reads the links of a web page, in this process or another."""


def read_links_here(page: FetchedPage) -> PageLinks:
    """Read the links of a web page in this process."""
    return read_links(page.body, content_type=page.content_type, url=page.url)


@dataclass(frozen=True, slots=True)
class PageWithLinks:
    """A fetched page, and what it says to robots, by its header and, if it is HTML, its tags."""

    page: FetchedPage
    links: PageLinks


def fetch_page(
    url: str,
    *,
    options: FetchOptions,
    validators: Validators = Validators(),  # noqa: B008 - it is frozen
    read_page_links: ReadLinks = read_links_here,
) -> FetchedPage:
    """Fetch a page that its owner named. Raises FetchFailed or HostBusy.

    robots.txt and noindex hold here, too: Parley keeps what it reads, as a search engine does.
    """
    fetched = fetch_with_links(
        entered_url(url),
        options=options,
        validators=validators,
        judge=lambda each: judge_by_robots(each, options),
        read_page_links=read_page_links,
    )
    if fetched.links.noindex:
        raise FetchFailed("noindex", NOINDEX_SENTENCE)
    return fetched.page


NOINDEX_SENTENCE = "The page asks robots not to keep it (noindex)."


def fetch_with_links(
    url: str,
    *,
    options: FetchOptions,
    validators: Validators,
    judge: Judge,
    read_page_links: ReadLinks,
) -> PageWithLinks:
    """Fetch a page of a crawl. `url` is normalised. Raises FetchFailed or HostBusy."""
    headers = {"Accept": _ACCEPT, **_conditions(validators)}
    request = Request(headers, options.max_bytes, wants_body=_wants_body)
    answer = send(url, request, options=options, judge=judge)
    response = answer.response
    if response.status == 304 and _conditions(validators):
        page = FetchedPage(answer.url, b"", "", validators, not_modified=True, digest="")
        return PageWithLinks(page, PageLinks())
    if response.status not in (200, 203):
        raise failure_of_status(response)
    page = _page(answer)
    noindex, nofollow = robots_header(response.headers.get("x-robots-tag", ()))
    links = read_page_links(page) if media_type(page.content_type) in HTML_TYPES else PageLinks()
    links = replace(links, noindex=links.noindex or noindex, nofollow=links.nofollow or nofollow)
    return PageWithLinks(page, links)


def _page(answer: Answer) -> FetchedPage:
    response = answer.response
    content_type = response.header("content-type")
    if not _is_readable(answer.url, content_type):
        raise FetchFailed(
            "unreadable_type",
            f"The address has {_kind(media_type(content_type))}, which has no text to read.",
        )
    if not response.body.strip():
        raise FetchFailed("empty", "The site answered with an empty page.")
    return FetchedPage(
        url=answer.url,
        body=response.body,
        content_type=content_type,
        validators=Validators(
            etag=response.header("etag")[:_MAX_VALIDATOR_CHARACTERS],
            last_modified=response.header("last-modified")[:_MAX_VALIDATOR_CHARACTERS],
        ),
        not_modified=False,
        digest=hashlib.sha256(response.body).hexdigest(),
    )


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _wants_body(url: str, head: GetResponse) -> bool:
    return head.status in (200, 203) and _is_readable(url, head.header("content-type"))


def _is_readable(url: str, content_type: str) -> bool:
    kind = media_type(content_type)
    if kind not in _VAGUE_TYPES:
        return kind in READABLE_TYPES
    return not kind or urlsplit(url).path.lower().endswith(READABLE_EXTENSIONS)


def _kind(kind: str) -> str:
    group = kind.partition("/")[0]
    if group in ("image", "audio", "video", "font"):
        article = "an" if group in ("image", "audio") else "a"
        return f"{article} {group} ({kind})"
    return f"a file of the type {kind[:80]}"


def _conditions(validators: Validators) -> dict[str, str]:
    """The headers of a conditional request. A value that could not be one is left out."""
    values = {
        "If-None-Match": validators.etag,
        "If-Modified-Since": validators.last_modified,
    }
    return {
        name: value
        for name, value in values.items()
        if value.isascii() and value.isprintable() and value
    }
