"""The size of a first visit and the number of queries of every page in the URL configuration."""

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
from tests.dashboard.test_access import url_arguments
from tests.factories import Team

MAX_BYTES = 150_000
"""The compressed size of a page with the static files that it loads."""
ROWS = 50
ROW_MARKUP = (b"<tr", b"<li", b"<option", b"<article", b'class="turn', b'name="bases"')
pytestmark = pytest.mark.timeout(400)  # every page, with every list full
STATIC_REFERENCE = re.compile(
    r"""(?:src|href)="(/static/[^"#]+)|from "(\.[^"]+\.js)"|import\("(\.[^"]+\.js)"\)"""
)


def static_urls_in(path: str, text: str) -> set[str]:
    """The URLs of the static files that a page or script loads, and of those that these load."""
    found: set[str] = set()
    for groups in STATIC_REFERENCE.findall(text):
        url = urljoin(path, next(filter(None, groups)))
        if url not in found:
            found |= {url}
            if url.endswith(".js"):
                found |= static_urls_in(url, static_file(url).read_text())
    return found


def static_file(url: str) -> Path:
    found = finders.find(url.removeprefix("/static/"))
    assert found, f"{url} does not exist"
    return Path(str(found))


def first_visit_bytes(client: Client, path: str) -> int | None:
    """The size of a first visit in bytes; None if the response is not a whole page."""
    response = client.get(path, headers={"accept-encoding": "gzip"})
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    if response.status_code != 200 or not is_html:
        return None
    is_compressed = response.headers.get("Content-Encoding") == "gzip"
    text = (gzip.decompress(response.content) if is_compressed else response.content).decode()
    if "<html" not in text:
        return None
    files = static_urls_in(path, text)
    return len(response.content) + sum(
        len(gzip.compress(static_file(url).read_bytes(), mtime=0)) for url in files
    )


LIST_PAGES = {
    *("chatbots", "versions", "conversations", "conversation", "exports", "leads", "requests"),
    *("webhooks", "webhook", "keys", "credits", "month", "members", "audit", "settings", "choose"),
    *("overview", "version", "unanswered"),
    *("knowledge", "knowledge_base", "source", "source_documents", "chatbot_knowledge"),
}
"""Pages whose lists grow. The test fails if one of them does not show more rows."""


@dataclass(frozen=True)
class PageCost:
    """The number of queries of a page or fragment, and of the rows that it shows."""

    queries: int
    rows: int


def measure_costs(client: Client, paths: Mapping[str, str]) -> dict[str, PageCost]:
    """The costs by URL name, without files, redirects and POST-only URLs."""
    costs = {}
    for name, path in paths.items():
        with CaptureQueriesContext(connection) as captured:
            response = client.get(path)
        if response.status_code == 200 and not response.streaming:
            rows = sum(response.content.count(mark) for mark in ROW_MARKUP)
            costs[name] = PageCost(len(captured), rows)
    return costs


@dataclass(frozen=True)
class FullWorkspace:
    """Alice's client, the URL arguments, and the costs with one row and with many in each list."""

    client: Client
    url_arguments: Mapping[str, str]
    few: Mapping[str, PageCost]
    many: Mapping[str, PageCost]


@pytest.fixture(scope="module")
def full(module_team: Team) -> FullWorkspace:
    team = module_team
    values, alice = url_arguments(team), login(team.alice)
    found = [*page_urls(values), PageUrl("choose", "/workspaces?choose")]
    paths = {each.name: each.path for each in found if each.path.startswith(("/w/", "/workspaces"))}
    add_rows_to_every_list(team, values, 1)
    few = measure_costs(alice, paths)
    add_rows_to_every_list(team, values, ROWS - 1)
    return FullWorkspace(alice, values, few, measure_costs(alice, paths))


def test_first_visit_of_every_page_is_small(full: FullWorkspace) -> None:
    urls = page_urls(full.url_arguments)
    sizes = {each.name: first_visit_bytes(full.client, each.path) for each in urls}
    pages = {name: size for name, size in sizes.items() if size is not None}
    assert {"overview", "playground", "conversations", "keys"} <= pages.keys()
    assert {name: size for name, size in pages.items() if size >= MAX_BYTES} == {}


def test_query_counts_do_not_grow_with_rows(full: FullWorkspace) -> None:
    few, many = full.few, full.many
    growing = {
        name: (few[name].queries, many[name].queries)
        for name in few
        if few[name].queries != many[name].queries
    }
    assert growing == {}
    assert LIST_PAGES - {name for name in few if few[name].rows < many[name].rows} == set()
