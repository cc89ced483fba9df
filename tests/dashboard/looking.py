"""Pages of a workspace, looked at by their members."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User


def browser_of(user: User) -> Client:
    """A browser in which the person is signed in."""
    client = Client()
    client.force_login(user)
    return client


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
