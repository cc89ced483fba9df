"""Time each page of the dashboard, with the demo's month of data.

    make bench ARGS=pages
    make bench ARGS="pages --turns 500000"      with this many more turns

Pages are found in the URL configuration and requested in this process without a socket, through all
of Django: middleware, views, SQL and templates. Prints the median and best milliseconds, the CPU of
this process for one request (without PostgreSQL's), the number of SQL statements, and the load. No
time is asserted.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

    from bench.page_urls import PageUrl

ROUNDS = 15


@dataclass(frozen=True, slots=True)
class PageCost:
    """Milliseconds and CPU milliseconds of a page by round, and its number of SQL statements."""

    name: str
    milliseconds: list[float]
    cpu: list[float]
    statements: int


def main(arguments: Sequence[str]) -> int:
    """Seed the database, time the pages, print the figures and return 0."""
    from django.test import Client

    from apps.accounts.models import User
    from apps.demo.seed import OWNER, SLUG, seed_demo
    from apps.workspaces.models import Workspace
    from bench.page_urls import UrlArguments, page_urls

    parser = argparse.ArgumentParser(prog="bench pages")
    parser.add_argument("--turns", type=int, default=0, help="turns to add to the demo's")
    options = parser.parse_args(arguments)
    logging.disable(logging.INFO)  # do not log every request
    seed_demo(base_url="", model_api_base="", previous={})
    workspace = Workspace.objects.get(slug=SLUG)
    if options.turns:
        _seed_turns(workspace.id, options.turns)
    client = Client()
    client.force_login(User.objects.get(email=OWNER))
    found = page_urls(UrlArguments(workspace, page="quickstart"))
    pages = [each for each in found if each.path.startswith("/w/") and _is_page(client, each)]
    costs = [_measure_page(client, page) for page in pages]
    print(f"{'':<20}{'median ms':>12}{'best ms':>12}{'CPU ms':>12}{'statements':>12}")
    for cost in sorted(costs, key=lambda cost: -statistics.median(cost.milliseconds)):
        median, best = statistics.median(cost.milliseconds), min(cost.milliseconds)
        cpu = statistics.median(cost.cpu)
        print(f"{cost.name:<20}{median:>12.1f}{best:>12.1f}{cpu:>12.1f}{cost.statements:>12}")
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, {ROUNDS} rounds")
    return 0


def _is_page(client: Client, page: PageUrl) -> bool:
    """Return True for a page of HTML, not a stream. The first request also loads templates."""
    response = client.get(page.path)
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    return response.status_code == 200 and is_html


def _measure_page(client: Client, page: PageUrl) -> PageCost:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    milliseconds, cpu = [], []
    for _ in range(ROUNDS):
        start, cpu_start = time.perf_counter(), time.process_time()
        client.get(page.path)
        milliseconds.append((time.perf_counter() - start) * 1000)
        cpu.append((time.process_time() - cpu_start) * 1000)
    with CaptureQueriesContext(connection) as statements:
        client.get(page.path)
    return PageCost(page.name, milliseconds, cpu, len(statements))


def _seed_turns(workspace_id: str, turns: int) -> None:
    from apps.chatbots.queries import active_chatbots_for
    from apps.conversations.seeding import SeedSize, SeedWorkspace, seed_conversations

    workspace = SeedWorkspace(workspace_id, active_chatbots_for(workspace_id))
    size = SeedSize(conversations=max(1, turns // 2), turns=2, days=30)
    seed_conversations(workspaces=[workspace], size=size, on_progress=lambda done: None)
