"""The docs pages: which file of `docs/`, or which of its sections, each page shows.

A section is a heading with the text up to the next heading.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocsPage:
    """A page with the sections of one file.

    Without `sections` it shows those that no other page of the file lists, except
    `excluded_sections`. `has_try_it` puts the form to send a message below the first example.
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
    "tutorial/quickstart.md",
    has_try_it=True,
)

GROUPS: Mapping[str, tuple[DocsPage, ...]] = {
    "Start": (
        FIRST_PAGE,
        DocsPage(
            "authentication",
            "Authentication",
            "API keys, permissions and response format.",
            "reference/api.md",
            ("REST API", "Authentication", "Ids"),
        ),
    ),
    "Chat": (
        DocsPage(
            "chat",
            "Chat",
            "Send a message and get a response.",
            "reference/api.md",
            ("Chat", "JSON response", "Credits"),
            has_try_it=True,
        ),
        DocsPage(
            "streaming",
            "Streaming",
            "Stream, resume, stop and look up responses.",
            "reference/api.md",
            ("Streaming", "Follow, stop and look up a turn"),
        ),
        DocsPage(
            "websocket",
            "WebSocket",
            "Run several responses over one connection.",
            "reference/websocket.md",
        ),
        DocsPage(
            "clients",
            "AI SDK and OpenAI",
            "Use the AI SDK and OpenAI clients unchanged.",
            "reference/clients.md",
        ),
    ),
    "Knowledge": (
        DocsPage(
            "give-a-chatbot-knowledge",
            "Give a chatbot knowledge",
            "Let a chatbot answer from your pages and files.",
            "how-to/give-a-chatbot-knowledge.md",
        ),
        DocsPage(
            "knowledge",
            "Knowledge over REST",
            "Knowledge bases, sources, passages and searches.",
            "reference/knowledge.md",
        ),
    ),
    "Reliability": (
        DocsPage(
            "errors",
            "Errors",
            "All error codes and when they occur.",
            "reference/api.md",
            ("Errors",),
        ),
        DocsPage(
            "rate-limits",
            "Rate limits",
            "Request limits and when to retry.",
            "reference/api.md",
            ("Rate limits",),
        ),
        DocsPage(
            "idempotency",
            "Idempotency",
            "Retry safely without paying twice.",
            "reference/api.md",
            ("Idempotency",),
        ),
    ),
    "Data": (
        DocsPage(
            "conversations",
            "Conversations",
            "List, search, rename, rate and delete conversations.",
            "reference/conversations.md",
        ),
        DocsPage(
            "reading",
            "Reading and exports",
            "Read messages and costs from your code, or export them.",
            "reference/api.md",
            excluded_sections=("Knowledge", "Leads", "Webhooks"),
        ),
        DocsPage(
            "leads",
            "Leads",
            "Contact details you send or Parley finds in messages.",
            "reference/leads.md",
        ),
        DocsPage("webhooks", "Webhooks", "Get events on your server.", "reference/webhooks.md"),
    ),
}

PAGES: tuple[DocsPage, ...] = tuple(page for pages in GROUPS.values() for page in pages)


def find_page(slug: str) -> DocsPage | None:
    """The page with this slug, if there is one."""
    return next((page for page in PAGES if page.slug == slug), None)


def find_page_of(file: str, heading: str | None = None) -> DocsPage | None:
    """The page that shows the file's section; without a heading, the file's first page."""
    for page in PAGES:
        if page.file == file and (heading is None or has_section(page, heading)):
            return page
    return None


def has_section(page: DocsPage, heading: str) -> bool:
    """Whether the page shows the section with this heading."""
    if page.sections:
        return heading in page.sections
    return heading not in page.excluded_sections and heading not in _CLAIMED_SECTIONS.get(
        page.file, ()
    )


_CLAIMED_SECTIONS: Mapping[str, set[str]] = {
    page.file: {title for each in PAGES if each.file == page.file for title in each.sections}
    for page in PAGES
}
"""The headings that pages list, by file."""
