"""The pages of a workspace, as the rail and the command palette list them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation: its title, the name of its address, its icon, who may see it."""

    title: str
    name: str
    icon: str
    wants: Permission = Permission.VIEW


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as one member sees it on one page."""

    title: str
    url: str
    icon: str = ""
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that belong together, under a word."""

    title: str
    pages: list[Link]


RAIL: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("Overview", "overview", "overview"),)),
    (
        "Build",
        (
            Entry("Chatbots", "chatbots", "chatbots"),
            Entry("API keys", "keys", "keys"),
            Entry("Webhooks", "webhooks", "webhooks"),
            Entry("Developers", "developers", "docs"),
            Entry("Requests", "requests", "search"),
        ),
    ),
    (
        "Talk",
        (
            Entry("Conversations", "conversations", "conversations"),
            Entry("Leads", "leads", "leads"),
        ),
    ),
    ("Money", (Entry("Credits", "credits", "credits"),)),
    (
        "Settings",
        (
            Entry("Settings", "settings", "settings"),
            Entry("Members", "members", "members"),
            Entry("Audit log", "audit", "audit", Permission.VIEW_AUDIT_LOG),
        ),
    ),
)

ACTIONS: tuple[tuple[str, str, Permission], ...] = (
    ("New chatbot", "new_chatbot", Permission.EDIT_CHATBOTS),
    ("New API key", "keys", Permission.MANAGE_KEYS),
    ("Find a request by its id", "requests", Permission.VIEW),
    ("Add a webhook endpoint", "new_webhook", Permission.MANAGE_WEBHOOKS),
    ("Invite a member", "members", Permission.MANAGE_MEMBERS),
)
"""What the command palette offers beside pages and chatbots: words, page, who may."""


def rail_of(member: Member, *, path: str) -> list[Group]:
    """The groups of pages that this member may see; the page at `path` is marked."""
    groups = [Group(title, list(_links(member, entries, path))) for title, entries in RAIL]
    return [group for group in groups if group.pages]


def _links(member: Member, entries: tuple[Entry, ...], path: str) -> Iterator[Link]:
    for entry in entries:
        if not is_allowed(member.role, entry.wants):
            continue
        url = address(entry.name, member.workspace.slug)
        if url is not None:
            yield Link(entry.title, url, entry.icon, _is_at(path, url, entry.name))


def _is_at(path: str, url: str, name: str) -> bool:
    """Whether the path is this page or below it; the overview has every page below it."""
    return path == url if name == "overview" else path == url or path.startswith(f"{url}/")


def address(name: str, slug: str) -> str | None:
    """The URL of a page of the workspace, or None where this installation has no such page."""
    return reverse_or_none(f"dashboard:{name}", slug)


def reverse_or_none(name: str, *args: str) -> str | None:
    """The URL of the view of this name, or None where there is no such view."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return None
