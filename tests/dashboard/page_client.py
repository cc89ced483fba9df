"""Clients for a workspace's pages, and helpers that read their HTML."""

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
    """A client in which the user is signed in."""
    client = Client()
    client.force_login(user)
    return client


def clients_by_role(team: Team) -> dict[str, Client]:
    """A client for each role in Alice's workspace, for an outsider, and an anonymous one."""
    admin, viewer = make_user("admin"), make_user("viewer")
    add_member(workspace=team.workspace, user=admin, role=Role.ADMIN)
    add_member(workspace=team.workspace, user=viewer, role=Role.VIEWER)
    users = {"owner": team.alice, "admin": admin, "member": team.bob, "viewer": viewer}
    clients = {name: login(user) for name, user in users.items()}
    return {**clients, "outsider": login(team.charlie), "anonymous": Client()}


def page_path(workspace: Workspace, page: str) -> str:
    return f"/w/{workspace.slug}/{page}"


def shown_messages(response: Any) -> list[str]:
    """The texts of the messages on the page."""
    return [str(message) for message in response.context["messages"]]


def visible_text(html: str) -> str:
    """The text of a page, without markup and with single spaces."""
    text = re.sub(r"<[^>]*>", " ", html)
    return " ".join(unescape(text).split())


def table_cells(html: str) -> list[list[str]]:
    """The cells of a page's first table, row by row, without the header."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [
        [visible_text(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows
    ]


def count_queries_at_1_and_50_rows(
    client: Client, url: str, add_rows: Callable[[int], None]
) -> tuple[int, int]:
    """The page's number of queries with 1 and with 50 rows. `add_rows` adds a number of rows."""
    add_rows(1)
    first = count_queries(client, url)
    add_rows(49)
    return first, count_queries(client, url)


def count_queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)
