"""What each page costs, pages found from the URL configuration: statements, and bytes at first."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.page_urls import PageUrl, page_urls
from tests.dashboard.list_rows import add_rows_to_every_list
from tests.dashboard.page_client import login
from tests.dashboard.test_access import arguments
from tests.factories import Team

MOST = 150_000
"""Bytes: the page as Django sends it, and what it loads as WhiteNoise sends it, compressed."""
ROWS = 50
SHOWS = (b"<tr", b"<li", b"<option", b'class="turn')
pytestmark = pytest.mark.timeout(400)  # every page, with every list full
LOADS = re.compile(
    r"""(?:src|href)="(/static/[^"#]+)|from "(\.[^"]+\.js)"|import\("(\.[^"]+\.js)"\)"""
)


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
    alice, values = login(team.alice), arguments(team)
    add_rows_to_every_list(team, values, ROWS)
    weights = {each.name: weight_of(alice, each.path) for each in page_urls(values)}
    pages = {name: weight for name, weight in weights.items() if weight is not None}
    assert {"overview", "playground", "conversations", "keys"} <= pages.keys()
    assert {name: weight for name, weight in pages.items() if weight >= MOST} == {}


LISTS = {
    *("chatbots", "versions", "conversations", "conversation", "exports", "leads", "requests"),
    *("webhooks", "webhook", "keys", "credits", "month", "members", "audit", "settings", "choose"),
    *("overview", "version"),
}
"""Pages that list what grows. One whose list did not grow would prove nothing."""


@dataclass(frozen=True)
class Cost:
    """What a page or fragment takes: statements, and the rows, menu entries and turns it shows."""

    statements: int
    shown: int


def costs_of(client: Client, places: Mapping[str, str]) -> dict[str, Cost]:
    """By name, without files, what only takes a POST, and what leads to another page."""
    costs = {}
    for name, path in places.items():
        with CaptureQueriesContext(connection) as captured:
            response = client.get(path)
        if response.status_code == 200 and not response.streaming:
            shown = sum(response.content.count(mark) for mark in SHOWS)
            costs[name] = Cost(len(captured), shown)
    return costs


def test_every_page_takes_as_many_statements_for_many_rows_as_for_one(team: Team) -> None:
    values, alice = arguments(team), login(team.alice)
    found = [*page_urls(values), PageUrl("choose", "/workspaces?choose")]
    places = {
        each.name: each.path for each in found if each.path.startswith(("/w/", "/workspaces"))
    }
    add_rows_to_every_list(team, values, 1)
    few = costs_of(alice, places)
    add_rows_to_every_list(team, values, ROWS - 1)
    many = costs_of(alice, places)
    dear = {
        name: (few[name].statements, many[name].statements)
        for name in few
        if few[name].statements != many[name].statements
    }
    assert dear == {}
    assert LISTS - {name for name in few if few[name].shown < many[name].shown} == set()
