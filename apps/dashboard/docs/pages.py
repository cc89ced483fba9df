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

    Without `sections` it has what no other page of the file asks for, but for those in `without`.
    `tries`: whether one can send a message beneath its first example.
    """

    slug: str
    title: str
    lead: str
    file: str
    sections: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    tries: bool = False


FIRST = DocsPage(
    "quickstart", "Quickstart", "From a key to an answer.", "quickstart.md", tries=True
)

GROUPS: Mapping[str, tuple[DocsPage, ...]] = {
    "Start": (
        FIRST,
        DocsPage(
            "authentication",
            "Authentication",
            "Which key opens what, and what every answer looks like.",
            "api.md",
            ("The REST API", "Authentication", "Ids"),
        ),
    ),
    "Chat": (
        DocsPage(
            "chat",
            "Chat",
            "One message in, one answer out.",
            "api.md",
            ("Chat", "As JSON", "Credits"),
            tries=True,
        ),
        DocsPage(
            "streaming",
            "Streaming",
            "The answer as it is written; resumed, stopped and looked up afterwards.",
            "api.md",
            ("As a stream", "A turn, afterwards and elsewhere"),
        ),
        DocsPage("websocket", "WebSocket", "Several turns at once on one socket.", "websocket.md"),
        DocsPage(
            "clients",
            "AI SDK and OpenAI",
            "Clients that speak to a chatbot as they stand.",
            "clients.md",
        ),
    ),
    "Rely on it": (
        DocsPage("errors", "Errors", "Every code, and when it comes.", "api.md", ("Errors",)),
        DocsPage(
            "rate-limits",
            "Rate limits",
            "How many requests a chatbot takes, and when to come back.",
            "api.md",
            ("Rate limit",),
        ),
        DocsPage(
            "idempotency",
            "Idempotency",
            "A retry that never pays twice.",
            "api.md",
            ("Idempotency",),
        ),
    ),
    "What it keeps": (
        DocsPage(
            "conversations",
            "Conversations",
            "What was said: listed, searched, named, rated and deleted.",
            "conversations.md",
            without=("How quick the lists are",),
        ),
        DocsPage(
            "reading",
            "Reading and exports",
            "What was said and what it cost, read back by your program.",
            "api.md",
            without=("Leads", "Webhooks"),
        ),
        DocsPage(
            "leads",
            "Leads",
            "Contact details of people, sent by you or found in what they write.",
            "leads.md",
            without=("How well it reads", "How quick the lists are"),
        ),
        DocsPage("webhooks", "Webhooks", "Your program is told of what happens.", "webhooks.md"),
    ),
}

PAGES: tuple[DocsPage, ...] = tuple(page for pages in GROUPS.values() for page in pages)


def page_called(slug: str) -> DocsPage | None:
    """The page of this name, if there is one."""
    return next((page for page in PAGES if page.slug == slug), None)


def page_with(file: str, heading: str | None = None) -> DocsPage | None:
    """The page on which a section stands; without one, the first page from this file."""
    for page in PAGES:
        if page.file == file and (heading is None or stands_on(page, heading)):
            return page
    return None


def stands_on(page: DocsPage, heading: str) -> bool:
    """Whether the section of this heading is on the page."""
    if page.sections:
        return heading in page.sections
    return heading not in page.without and heading not in _NAMED.get(page.file, ())


_NAMED: Mapping[str, set[str]] = {
    page.file: {title for each in PAGES if each.file == page.file for title in each.sections}
    for page in PAGES
}
"""The headings of each file that some page asks for by name."""
