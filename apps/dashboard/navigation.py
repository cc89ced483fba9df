"""The sidebar's pages and the command palette's actions."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A page of the sidebar, for members with the permission."""

    title: str
    url_name: str
    icon: str
    permission: Permission = Permission.VIEW


@dataclass(frozen=True, slots=True)
class NavigationLink:
    """A link to a page, as rendered for one request."""

    title: str
    url: str
    icon: str = ""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class NavigationGroup:
    """Links below a heading."""

    title: str
    pages: list[NavigationLink]


SIDEBAR: tuple[tuple[str, tuple[NavigationItem, ...]], ...] = (
    ("", (NavigationItem("Overview", "overview", "overview"),)),
    (
        "Build",
        (
            NavigationItem("Chatbots", "chatbots", "chatbots"),
            NavigationItem("Knowledge", "knowledge", "knowledge"),
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
            NavigationItem("Unanswered", "unanswered", "unanswered"),
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
"""Actions of the command palette: title, URL name, required permission."""


def sidebar_groups(member: Member, *, path: str) -> list[NavigationGroup]:
    """The groups of links that the member may see. The one at `path` is marked as current."""
    groups = [NavigationGroup(title, list(_links(member, items, path))) for title, items in SIDEBAR]
    return [group for group in groups if group.pages]


def _links(
    member: Member, items: tuple[NavigationItem, ...], path: str
) -> Iterator[NavigationLink]:
    for item in items:
        if is_allowed(member.role, item.permission):
            url = page_url(item.url_name, member.workspace.slug)
            is_current = _is_current(path, url, item.url_name)
            yield NavigationLink(item.title, url, item.icon, is_current)


def _is_current(path: str, url: str, name: str) -> bool:
    """Whether the path is this page or below it. All pages are below the overview."""
    return path == url if name == "overview" else path == url or path.startswith(f"{url}/")


def page_url(name: str, slug: str) -> str:
    """The URL of a page of the workspace with this slug."""
    return reverse(f"dashboard:{name}", args=[slug])
