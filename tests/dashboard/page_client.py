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


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def clients_by_role(team: Team) -> dict[str, Client]:
    """A browser for each role in Alice's workspace, for an outsider, and for nobody."""
    admin, viewer = make_user("admin"), make_user("viewer")
    add_member(workspace=team.workspace, user=admin, role=Role.ADMIN)
    add_member(workspace=team.workspace, user=viewer, role=Role.VIEWER)
    people = {"owner": team.alice, "admin": admin, "member": team.bob, "viewer": viewer}
    browsers = {name: login(user) for name, user in people.items()}
    return {**browsers, "outsider": login(team.charlie), "anonymous": Client()}


def page_path(workspace: Workspace, page: str) -> str:
    return f"/w/{workspace.slug}/{page}"


def shown_messages(response: Any) -> list[str]:
    """The messages that the next page shows."""
    return [str(message) for message in response.context["messages"]]


def visible_text(html: str) -> str:
    """What a page says, its markup left out and its spaces made one."""
    words = re.sub(r"<[^>]*>", " ", html)
    return " ".join(unescape(words).split())


def table_cells(html: str) -> list[list[str]]:
    """The rows of a page's first table, without its head."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [
        [visible_text(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows
    ]


def count_queries_at_1_and_50_rows(
    client: Client, url: str, add: Callable[[int], None]
) -> tuple[int, int]:
    """How many statements a page takes with 1 row, and with 50; `add` adds so many rows."""
    add(1)
    first = count_queries(client, url)
    add(49)
    return first, count_queries(client, url)


def count_queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)
