"""Browsers without a screen, for the pages of a workspace."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services import add_member
from tests.factories import Team, make_user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def everyone(team: Team) -> dict[str, Client]:
    """A browser for each role in Alice's workspace, for an outsider, and for nobody."""
    admin, viewer = make_user("admin"), make_user("viewer")
    add_member(workspace=team.workspace, user=admin, role=Role.ADMIN)
    add_member(workspace=team.workspace, user=viewer, role=Role.VIEWER)
    people = {"owner": team.alice, "admin": admin, "member": team.bob, "viewer": viewer}
    browsers = {name: signed_in(user) for name, user in people.items()}
    return {**browsers, "outsider": signed_in(team.charlie), "anonymous": Client()}


def path(workspace: Workspace, page: str) -> str:
    return f"/w/{workspace.slug}/{page}"


def says(response: Any) -> list[str]:
    """The messages that the next page shows."""
    return [str(message) for message in response.context["messages"]]


def text_of(html: str) -> str:
    """What a page says, its markup left out and its spaces made one."""
    words = re.sub(r"<[^>]*>", " ", html)
    return " ".join(unescape(words).split())


def cells_of(html: str) -> list[list[str]]:
    """The rows of a page's first table, without its head."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows]


def queries_at_1_and_50(client: Client, url: str, add: Callable[[int], None]) -> tuple[int, int]:
    """How many statements a page takes with 1 row, and with 50; `add` adds so many rows."""
    add(1)
    first = _queries(client, url)
    add(49)
    return first, _queries(client, url)


def _queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)
