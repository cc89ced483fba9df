"""What each page of the dashboard takes the server, over the demo's month of data.

    make bench ARGS=pages
    make bench ARGS="pages --turns 500000"      in a workspace with so many more turns

The pages are found from the URL configuration and asked for in turns, in this process and without
a socket: the whole of Django, its middleware, its statements and its templates. Prints the median
and the best of the rounds in milliseconds, the CPU that this process used for one (PostgreSQL's is
not in it), the statements, and the load of the machine. Nothing asserts a time.
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
    """What one page took: milliseconds and CPU, round by round, and statements."""

    name: str
    milliseconds: list[float]
    cpu: list[float]
    statements: int


def main(arguments: Sequence[str]) -> int:
    """Seed, ask, print; the exit code."""
    from django.test import Client

    from apps.accounts.models import User
    from apps.demo.seed import OWNER, SLUG, seed_demo
    from apps.workspaces.models import Workspace
    from bench.page_urls import UrlArguments, page_urls

    parser = argparse.ArgumentParser(prog="bench pages")
    parser.add_argument("--turns", type=int, default=0, help="turns to add to the demo's")
    options = parser.parse_args(arguments)
    logging.disable(logging.INFO)  # a line a request is not what is measured
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
        middle, best = statistics.median(cost.milliseconds), min(cost.milliseconds)
        cpu = statistics.median(cost.cpu)
        print(f"{cost.name:<20}{middle:>12.1f}{best:>12.1f}{cpu:>12.1f}{cost.statements:>12}")
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, {ROUNDS} rounds")
    return 0


def _is_page(client: Client, page: PageUrl) -> bool:
    """Whether there is a page, and none that is streamed; the first visit also loads templates."""
    response = client.get(page.path)
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    return response.status_code == 200 and is_html


def _measure_page(client: Client, page: PageUrl) -> PageCost:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    milliseconds, cpu = [], []
    for _ in range(ROUNDS):
        began, used = time.perf_counter(), time.process_time()
        client.get(page.path)
        milliseconds.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - used) * 1000)
    with CaptureQueriesContext(connection) as statements:
        client.get(page.path)
    return PageCost(page.name, milliseconds, cpu, len(statements))


def _seed_turns(workspace_id: str, turns: int) -> None:
    from apps.chatbots.queries import active_chatbots_for
    from apps.conversations.seeding import SeedSize, SeedWorkspace, seed_conversations

    place = SeedWorkspace(workspace_id, active_chatbots_for(workspace_id))
    size = SeedSize(conversations=max(1, turns // 2), turns=2, days=30)
    seed_conversations(workspaces=[place], size=size, on_progress=lambda done: None)
