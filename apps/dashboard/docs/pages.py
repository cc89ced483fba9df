"""Which docs pages there are, and what of `docs/*.md` stands on each.

What is said to integrators is written once, in `docs/*.md`; a page is a file of it, or some of its
sections. A section is a heading with what follows it up to the next heading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocsPage:
    """One page: the file it comes from, and the headings of its sections.

    Without `sections` it has what no other page of the file asks for, but for those in `excluded_sections`.
    `has_try_it`: whether one can send a message beneath its first example.
    """

    slug: str
    title: str
    lead: str
    file: str
    sections: tuple[str, ...] = ()
    excluded_sections: tuple[str, ...] = ()
    has_try_it: bool = False


FIRST_PAGE = DocsPage(
    "quickstart",
    "Quickstart",
    "Send your first message in a few minutes.",
    "quickstart.md",
    has_try_it=True,
)

GROUPS: Mapping[str, tuple[DocsPage, ...]] = {
    "Start": (
        FIRST_PAGE,
        DocsPage(
            "authentication",
            "Authentication",
            "API keys, permissions and response format.",
            "api.md",
            ("The REST API", "Authentication", "Ids"),
        ),
    ),
    "Chat": (
        DocsPage(
            "chat",
            "Chat",
            "Send a message and get a response.",
            "api.md",
            ("Chat", "As JSON", "Credits"),
            has_try_it=True,
        ),
        DocsPage(
            "streaming",
            "Streaming",
            "Stream, resume, stop and look up responses.",
            "api.md",
            ("As a stream", "A turn, afterwards and elsewhere"),
        ),
        DocsPage(
            "websocket", "WebSocket", "Run several responses over one connection.", "websocket.md"
        ),
        DocsPage(
            "clients",
            "AI SDK and OpenAI",
            "Use the AI SDK and OpenAI clients unchanged.",
            "clients.md",
        ),
    ),
    "Reliability": (
        DocsPage("errors", "Errors", "All error codes and when they occur.", "api.md", ("Errors",)),
        DocsPage(
            "rate-limits",
            "Rate limits",
            "Request limits and when to retry.",
            "api.md",
            ("Rate limit",),
        ),
        DocsPage(
            "idempotency",
            "Idempotency",
            "Retry safely without paying twice.",
            "api.md",
            ("Idempotency",),
        ),
    ),
    "Data": (
        DocsPage(
            "conversations",
            "Conversations",
            "List, search, rename, rate and delete conversations.",
            "conversations.md",
            excluded_sections=("How quick the lists are",),
        ),
        DocsPage(
            "reading",
            "Reading and exports",
            "Read messages and costs from your code, or export them.",
            "api.md",
            excluded_sections=("Leads", "Webhooks"),
        ),
        DocsPage(
            "leads",
            "Leads",
            "Contact details you send or Parley finds in messages.",
            "leads.md",
            excluded_sections=("How well it reads", "How quick the lists are"),
        ),
        DocsPage("webhooks", "Webhooks", "Get events on your server.", "webhooks.md"),
    ),
}

PAGES: tuple[DocsPage, ...] = tuple(page for pages in GROUPS.values() for page in pages)


def find_page(slug: str) -> DocsPage | None:
    """The page of this name, if there is one."""
    return next((page for page in PAGES if page.slug == slug), None)


def find_page_of(file: str, heading: str | None = None) -> DocsPage | None:
    """The page on which a section stands; without one, the first page from this file."""
    for page in PAGES:
        if page.file == file and (heading is None or has_section(page, heading)):
            return page
    return None


def has_section(page: DocsPage, heading: str) -> bool:
    """Whether the section of this heading is on the page."""
    if page.sections:
        return heading in page.sections
    return heading not in page.excluded_sections and heading not in _CLAIMED_SECTIONS.get(
        page.file, ()
    )


_CLAIMED_SECTIONS: Mapping[str, set[str]] = {
    page.file: {title for each in PAGES if each.file == page.file for title in each.sections}
    for page in PAGES
}
"""The headings of each file that some page asks for by name."""
