"""Template context of every page of a workspace: navigation, permissions and balance."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.chatbots.queries import chatbots_for
from apps.conversations.queries import running_turns_for
from apps.credits.queries import Balance, balance_for
from apps.dashboard.access import current_member
from apps.dashboard.docs.pages import PAGES
from apps.dashboard.navigation import (
    ACTIONS,
    NavigationGroup,
    NavigationLink,
    page_url,
    sidebar_groups,
)
from apps.workspaces.models import Member
from apps.workspaces.queries import memberships_for
from apps.workspaces.roles import Permission, is_allowed

MAX_PALETTE_CHATBOTS = 200
ACCOUNT_LINKS = (
    ("Email", "account_email"),
    ("Password", "account_change_password"),
    ("Two-factor authentication", "mfa_index"),
    ("Sessions", "usersessions_list"),
    ("Log out", "account_logout"),
)


class Layout:
    """What the layout of a workspace page shows. Each value is loaded on first use."""

    def __init__(self, request: HttpRequest, member: Member) -> None:
        self._request = request
        self._member = member

    @cached_property
    def may(self) -> dict[str, bool]:
        """Whether the member has each permission: `{% if layout.may.CHAT %}`."""
        return {p.name: is_allowed(self._member.role, p) for p in Permission}

    @cached_property
    def groups(self) -> list[NavigationGroup]:
        """The sidebar's groups of links."""
        return sidebar_groups(self._member, path=self._request.path)

    @cached_property
    def memberships(self) -> list[Member]:
        """The user's memberships, for the workspace switcher."""
        return list(memberships_for(self._member.user))

    @cached_property
    def palette(self) -> list[dict[str, str]]:
        """The entries of the command palette: pages, actions, docs and chatbots."""
        pages = [
            {"title": page.title, "url": page.url, "kind": "Page"}
            for group in self.groups
            for page in group.pages
        ]
        return [*pages, *self._actions(), *self._docs(), *self._chatbots()]

    def _actions(self) -> Iterator[dict[str, str]]:
        for title, name, permission in ACTIONS:
            if self.may[permission.name]:
                url = page_url(name, self._member.workspace.slug)
                yield {"title": title, "url": url, "kind": "Action"}

    def _docs(self) -> Iterator[dict[str, str]]:
        slug = self._member.workspace.slug
        for page in PAGES:
            url = reverse("dashboard:developers_page", args=[slug, page.slug])
            yield {"title": page.title, "url": url, "kind": "Docs"}

    def _chatbots(self) -> Iterator[dict[str, str]]:
        pages = [("{}", "dashboard:chatbot")]
        if self.may[Permission.CHAT.name]:
            pages.append(("{}: Playground", "dashboard:playground"))
        chatbots = chatbots_for(self._member.workspace_id).values_list("id", "name")
        for id, name in chatbots[:MAX_PALETTE_CHATBOTS]:
            for title, page in pages:
                url = reverse(page, args=[self._member.workspace.slug, id])
                yield {"title": title.format(name), "url": url, "kind": "Chatbot"}

    @cached_property
    def credits(self) -> Balance:
        return balance_for(self._member.workspace_id)

    @cached_property
    def running_turns(self) -> int:
        return running_turns_for(self._member.workspace_id).count()

    @property
    def account_links(self) -> list[NavigationLink]:
        return [NavigationLink(title, reverse(name)) for title, name in ACCOUNT_LINKS]


def workspace_layout(request: HttpRequest) -> dict[str, Any]:
    """Add `workspace`, `member` and `layout` to the context of a workspace page."""
    member = current_member(request)
    if member is None:
        return {}
    return {"workspace": member.workspace, "member": member, "layout": Layout(request, member)}
