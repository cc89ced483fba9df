"""The pages of a workspace, as the rail and the command palette list them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A page in the navigation: its title, the name of its address, its icon, who may see it."""

    title: str
    url_name: str
    icon: str
    permission: Permission = Permission.VIEW


@dataclass(frozen=True, slots=True)
class NavigationLink:
    """An entry as one member sees it on one page."""

    title: str
    url: str
    icon: str = ""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class NavigationGroup:
    """Pages that belong together, under a word."""

    title: str
    pages: list[NavigationLink]


SIDEBAR: tuple[tuple[str, tuple[NavigationItem, ...]], ...] = (
    ("", (NavigationItem("Overview", "overview", "overview"),)),
    (
        "Build",
        (
            NavigationItem("Chatbots", "chatbots", "chatbots"),
            NavigationItem("API keys", "keys", "keys"),
            NavigationItem("Webhooks", "webhooks", "webhooks"),
            NavigationItem("Docs", "developers", "docs"),
            NavigationItem("Requests", "requests", "search"),
        ),
    ),
    (
        "Inbox",
        (
            NavigationItem("Conversations", "conversations", "conversations"),
            NavigationItem("Leads", "leads", "leads"),
        ),
    ),
    (
        "Workspace",
        (
            NavigationItem("Billing", "credits", "credits"),
            NavigationItem("Settings", "settings", "settings"),
            NavigationItem("Members", "members", "members"),
            NavigationItem("Audit log", "audit", "audit", Permission.VIEW_AUDIT_LOG),
        ),
    ),
)

ACTIONS: tuple[tuple[str, str, Permission], ...] = (
    ("New chatbot", "new_chatbot", Permission.EDIT_CHATBOTS),
    ("New API key", "keys", Permission.MANAGE_KEYS),
    ("Find a request by ID", "requests", Permission.VIEW),
    ("Add webhook endpoint", "new_webhook", Permission.MANAGE_WEBHOOKS),
    ("Invite a teammate", "members", Permission.MANAGE_MEMBERS),
)
"""What the command palette offers beside pages and chatbots: words, page, who may."""


def sidebar_groups(member: Member, *, path: str) -> list[NavigationGroup]:
    """The groups of pages that this member may see; the page at `path` is marked."""
    groups = [
        NavigationGroup(title, list(_links(member, entries, path))) for title, entries in SIDEBAR
    ]
    return [group for group in groups if group.pages]


def _links(
    member: Member, entries: tuple[NavigationItem, ...], path: str
) -> Iterator[NavigationLink]:
    for entry in entries:
        if not is_allowed(member.role, entry.permission):
            continue
        url = page_url(entry.url_name, member.workspace.slug)
        if url is not None:
            yield NavigationLink(
                entry.title, url, entry.icon, _is_current(path, url, entry.url_name)
            )


def _is_current(path: str, url: str, name: str) -> bool:
    """Whether the path is this page or below it; the overview has every page below it."""
    return path == url if name == "overview" else path == url or path.startswith(f"{url}/")


def page_url(name: str, slug: str) -> str | None:
    """The URL of a page of the workspace, or None where this installation has no such page."""
    return reverse_or_none(f"dashboard:{name}", slug)


def reverse_or_none(name: str, *args: str) -> str | None:
    """The URL of the view of this name, or None where there is no such view."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return None
