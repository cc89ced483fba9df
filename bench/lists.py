"""Time the first and the thousandth page of the API's lists among a million conversations.

    make bench ARGS=lists                  a million conversations, two million messages
    make bench ARGS='lists 100000'         fewer

Fills a throwaway database, finds every list with a cursor in the OpenAPI document and requests it
up to its thousandth page of 100 rows, in this process without a socket. Prints median milliseconds.
Exits with 1 if a thousandth page takes more than 100 ms or twice as long as the first; differences
below 10 ms are noise. See docs/explanation/list-performance.md.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

ROUNDS = 9
MAX_PAGES = 1000
ROWS = 100
LONG_CONVERSATION_TURNS = 50_100
MAX_MS, MAX_RATIO, NOISE_MS = 100, 2, 10


@dataclass(frozen=True, slots=True)
class ListAccess:
    """An API key, and the ids for the URL parameters of lists."""

    api_key: str
    url_arguments: Mapping[str, str]


def main(arguments: list[str]) -> int:
    """Fill the database, time the lists, print the medians and return the exit code."""
    from django.core.management import call_command

    from config.openapi import operations

    logging.disable(logging.INFO)  # do not log every request
    call_command("migrate", verbosity=0)
    conversations = int(arguments[0]) if arguments else 1_000_000
    many = _seed_workspace("--conversations", str(conversations))
    long = _seed_workspace("--conversations", "1", "--turns", str(LONG_CONVERSATION_TURNS))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'list':<52}{'pages':>7}{'rows':>6}{'first ms':>10}{'last ms':>10}{'ratio':>7}")
    is_fast_enough = True
    for path, method, operation in operations():
        names = {each["name"] for each in operation["parameters"]}
        if method == "get" and "cursor" in names:
            access = long if "conversationId" in names else many
            if all(f"{{{name}}}" not in path or name in access.url_arguments for name in names):
                is_fast_enough &= _measure_list(path.format(**access.url_arguments), access)
    return 0 if is_fast_enough else 1


def _measure_list(path: str, access: ListAccess) -> bool:
    from django.test import Client

    client = Client(headers={"authorization": f"Bearer {access.api_key}"})

    def page(cursor: str | None) -> dict[str, Any]:
        query = {"limit": str(ROWS)} | ({} if cursor is None else {"cursor": cursor})
        response = client.get(path, query_params=query)
        assert response.status_code == 200, response.content
        data: dict[str, Any] = json.loads(response.content)["data"]
        return data

    cursor, data, pages = None, page(None), 1
    while pages < MAX_PAGES and data["nextCursor"] is not None:
        cursor = data["nextCursor"]
        data, pages = page(cursor), pages + 1
    (rows,) = (value for value in data.values() if isinstance(value, list))
    first, last = _median_ms(lambda: page(None)), _median_ms(lambda: page(cursor))
    is_fast_enough = max(first, last) <= MAX_MS and last <= max(MAX_RATIO * first, first + NOISE_MS)
    print(
        f"{path:<52}{pages:>7,}{len(rows):>6}{first:>10.1f}{last:>10.1f}{last / first:>7.2f}"
        f"{'' if is_fast_enough else '  too slow'}",
        flush=True,
    )
    return is_fast_enough


def _median_ms(call: Callable[[], object]) -> float:
    milliseconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        milliseconds.append((time.perf_counter() - start) * 1000)
    return statistics.median(milliseconds)


def _seed_workspace(*size: str) -> ListAccess:
    """Create and fill a workspace; return access to its lists."""
    from django.core.management import call_command

    from apps.conversations.models import Conversation

    out = StringIO()
    call_command("seed_load", *size, "--json", stdout=out)
    seeded = json.loads(out.getvalue())
    print(f"{seeded['conversations']:,} conversations in {seeded['seconds']} s", flush=True)
    newest = Conversation.objects.filter(chatbot_id=seeded["chatbot_id"]).order_by("-id")[0]
    return ListAccess(
        seeded["api_key"], {"chatbotId": seeded["chatbot_id"], "conversationId": newest.id}
    )
