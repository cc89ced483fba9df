"""What each page costs, pages found from the URL configuration: statements, and bytes at first."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.ids import new_id
from tests.conversations.opening import completed, opened
from tests.dashboard.addresses import addresses
from tests.dashboard.pages import signed_in
from tests.dashboard.test_access import arguments
from tests.factories import Team, give, make_chatbot, make_key, make_model
from tests.leads.leads import made

MOST = 150_000
"""Bytes: the page as Django sends it, and what it loads as WhiteNoise sends it, compressed."""
ROWS = 50
pytestmark = pytest.mark.timeout(400)  # every page, with every list full
LOADS = re.compile(
    r"""(?:src|href)="(/static/[^"#]+)|from "(\.[^"]+\.js)"|import\("(\.[^"]+\.js)"\)"""
)


def fill(team: Team, rows: int) -> None:
    """So many more rows in the lists that grow by themselves."""
    give(team.workspace, 1000)
    chatbot = make_chatbot(team.workspace, make_model(credits_per_reply=1))
    for _ in range(rows):
        number = new_id()
        make_key(team.workspace)
        make_chatbot(team.workspace, chatbot.language_model, name=f"Support in language {number}")
        completed(opened(chatbot, credits=1, text="Where is my order? " * 8), "On its way. " * 20)
        made(chatbot, name=f"Ana Lima {number}", email=f"ana-{number}@example.com")


def loaded_by(path: str, text: str) -> set[str]:
    """The static files that a page or a script names, and those that they name in turn."""
    found: set[str] = set()
    for groups in LOADS.findall(text):
        url = urljoin(path, next(filter(None, groups)))
        if url not in found:
            found |= {url}
            if url.endswith(".js"):
                found |= loaded_by(url, file_at(url).read_text())
    return found


def file_at(url: str) -> Path:
    found = finders.find(url.removeprefix("/static/"))
    assert found, f"{url} is not there"
    return Path(str(found))


def weight_of(client: Client, path: str) -> int | None:
    """Bytes of a first visit; None for what is no whole page."""
    response = client.get(path, headers={"accept-encoding": "gzip"})
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    if response.status_code != 200 or not is_html:
        return None
    is_packed = response.headers.get("Content-Encoding") == "gzip"
    text = (gzip.decompress(response.content) if is_packed else response.content).decode()
    if "<html" not in text:
        return None
    files = loaded_by(path, text)
    return len(response.content) + sum(
        len(gzip.compress(file_at(url).read_bytes(), mtime=0)) for url in files
    )


def test_every_page_is_light(team: Team) -> None:
    fill(team, ROWS)
    alice = signed_in(team.alice)
    weights = {each.name: weight_of(alice, each.path) for each in addresses(arguments(team))}
    pages = {name: weight for name, weight in weights.items() if weight is not None}
    assert {"overview", "playground", "conversations", "keys"} <= pages.keys()
    assert {name: weight for name, weight in pages.items() if weight >= MOST} == {}


def statements_of(client: Client, path: str) -> int | None:
    """How many statements a page or fragment takes; None for what only takes a POST."""
    with CaptureQueriesContext(connection) as captured:
        response = client.get(path)
    return len(captured) if response.status_code == 200 else None


def test_every_page_takes_as_many_statements_for_many_rows_as_for_one(team: Team) -> None:
    found = addresses(arguments(team))
    places = {each.name: each.path for each in found if each.path.startswith("/w/")}
    alice = signed_in(team.alice)
    fill(team, 1)
    few = {name: statements_of(alice, path) for name, path in places.items()}
    fill(team, ROWS - 1)
    many = {name: statements_of(alice, path) for name, path in places.items()}
    pages = {name for name, count in few.items() if count is not None}
    assert {"overview", "chatbots", "conversations", "leads", "keys", "audit"} <= pages
    assert {name: (few[name], many[name]) for name in pages if few[name] != many[name]} == {}
