"""What the frame around every page of a workspace shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from apps.chatbots.queries import chatbots_of
from apps.conversations.queries import running_turns
from apps.credits.queries import Balance, balance_for
from apps.dashboard.access import seen_by
from apps.dashboard.docs.pages import PAGES
from apps.dashboard.navigation import ACTIONS, Group, Link, address, rail_of
from apps.workspaces.models import Member
from apps.workspaces.queries import memberships_of
from apps.workspaces.roles import Permission, may

MOST_IN_PALETTE = 200
ACCOUNT_LINKS = (
    ("Email addresses", "account_email"),
    ("Password", "account_change_password"),
    ("Two-factor authentication", "mfa_index"),
    ("Sessions", "usersessions_list"),
    ("Log out", "account_logout"),
)


class Frame:
    """Each part is asked for when a template shows it, and once."""

    def __init__(self, request: HttpRequest, member: Member) -> None:
        self._request = request
        self._member = member

    @cached_property
    def may(self) -> dict[str, bool]:
        """What the member may, by the permission's name: `{% if frame.may.CHAT %}`."""
        return {p.name: may(self._member.role, p) for p in Permission}

    @cached_property
    def groups(self) -> list[Group]:
        return rail_of(self._member, path=self._request.path)

    @cached_property
    def places(self) -> list[Member]:
        return list(memberships_of(self._member.user))

    @cached_property
    def palette(self) -> list[dict[str, str]]:
        pages = [
            {"title": page.title, "url": page.url, "kind": "page"}
            for group in self.groups
            for page in group.pages
        ]
        slug = self._member.workspace.slug
        found = chatbots_of(self._member.workspace_id).values_list("id", "name")[:MOST_IN_PALETTE]
        chatbots = [
            {"title": title.format(name), "url": reverse(page, args=[slug, id]), "kind": "chatbot"}
            for id, name in found
            for title, page in self._pages_of_chatbots
        ]
        return [*pages, *self._actions, *self._docs, *chatbots]

    @property
    def _pages_of_chatbots(self) -> list[tuple[str, str]]:
        pages = [("{}", "dashboard:chatbot")]
        return pages + [("{}: playground", "dashboard:playground")] * self.may[Permission.CHAT.name]

    @property
    def _actions(self) -> Iterator[dict[str, str]]:
        slug = self._member.workspace.slug
        for title, name, wants in ACTIONS:
            url = address(name, slug)
            if url and self.may[wants.name]:
                yield {"title": title, "url": url, "kind": "action"}

    @property
    def _docs(self) -> Iterator[dict[str, str]]:
        slug = self._member.workspace.slug
        for page in PAGES:
            url = reverse("dashboard:developers_page", args=[slug, page.slug])
            yield {"title": page.title, "url": url, "kind": "docs"}

    @cached_property
    def _credits(self) -> Balance:
        return balance_for(self._member.workspace_id)

    @property
    def balance(self) -> int:
        return self._credits.balance

    @property
    def held(self) -> int:
        return self._credits.held

    @cached_property
    def running(self) -> int:
        return running_turns(self._member.workspace_id).count()

    @property
    def account_links(self) -> list[Link]:
        found = ((title, _address(name)) for title, name in ACCOUNT_LINKS)
        return [Link(title, url) for title, url in found if url]

    @property
    def new_workspace_url(self) -> str | None:
        return _address("new_workspace")


def _address(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def frame(request: HttpRequest) -> dict[str, Any]:
    """Template context of a workspace's pages: `workspace`, `member`, `frame`; empty elsewhere."""
    member = seen_by(request)
    if member is None:
        return {}
    return {"workspace": member.workspace, "member": member, "frame": Frame(request, member)}
