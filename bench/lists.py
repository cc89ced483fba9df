"""What the API's lists cost in a workspace with a million conversations: first page and thousandth.

    make bench ARGS=lists                  a million conversations, two million messages
    make bench ARGS='lists 100000'         fewer

Fills a throwaway database, finds every list that turns its pages by a cursor in the API's document,
walks each to its thousandth page of 100 rows, in this process and without a socket, and prints the
medians in milliseconds. Ends with 1 where a thousandth page costs more than twice the first (and
more than 10 ms over it, below which a busy machine cannot tell) or 100 ms. See
docs/performance-lists.md.
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
    """Where lists are read: a key, and the ids that their addresses may name."""

    api_key: str
    url_arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A list: how many pages it was walked, and the medians of its first and its last one."""

    name: str
    pages: int
    rows: int
    first_ms: float
    last_ms: float

    @property
    def is_fast_enough(self) -> bool:
        slow = self.last_ms > max(MAX_RATIO * self.first_ms, self.first_ms + NOISE_MS)
        return max(self.first_ms, self.last_ms) <= MAX_MS and not slow


def main(arguments: list[str]) -> int:
    """Fill, walk, print; the exit code."""
    from django.core.management import call_command

    from config.openapi import operations

    logging.disable(logging.INFO)  # a line for each request would be all that is seen
    call_command("migrate", verbosity=0)
    conversations = int(arguments[0]) if arguments else 1_000_000
    many = _seed_workspace("--conversations", str(conversations))
    long = _seed_workspace("--conversations", "1", "--turns", str(LONG_CONVERSATION_TURNS))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'list':<52}{'pages':>7}{'rows':>6}{'first ms':>10}{'last ms':>10}{'ratio':>7}")
    quick = True
    for path, method, operation in operations():
        names = {each["name"] for each in operation["parameters"]}
        if method == "get" and "cursor" in names:
            place = long if "conversationId" in names else many
            if all(f"{{{name}}}" not in path or name in place.url_arguments for name in names):
                quick &= _measure_list(path.format(**place.url_arguments), place)
    return 0 if quick else 1


def _measure_list(path: str, place: ListAccess) -> bool:
    from django.test import Client

    client = Client(headers={"authorization": f"Bearer {place.api_key}"})

    def page(cursor: str | None) -> dict[str, Any]:
        query = {"limit": str(ROWS)} | ({} if cursor is None else {"cursor": cursor})
        answer = client.get(path, query_params=query)
        assert answer.status_code == 200, answer.content
        data: dict[str, Any] = json.loads(answer.content)["data"]
        return data

    cursor, found, pages = None, page(None), 1
    while pages < MAX_PAGES and found["nextCursor"] is not None:
        cursor = found["nextCursor"]
        found, pages = page(cursor), pages + 1
    (rows,) = (value for value in found.values() if isinstance(value, list))
    first, last = _median_ms(lambda: page(None)), _median_ms(lambda: page(cursor))
    told = Measurement(path, pages, len(rows), first, last)
    print(
        f"{told.name:<52}{told.pages:>7,}{told.rows:>6}{told.first_ms:>10.1f}{told.last_ms:>10.1f}"
        f"{told.last_ms / told.first_ms:>7.2f}{'' if told.is_fast_enough else '  too slow'}",
        flush=True,
    )
    return told.is_fast_enough


def _median_ms(call: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _seed_workspace(*size: str) -> ListAccess:
    """A workspace of its own, filled; its key, a chatbot and a conversation."""
    from django.core.management import call_command

    from apps.conversations.models import Conversation

    out = StringIO()
    call_command("seed_load", *size, "--json", stdout=out)
    told = json.loads(out.getvalue())
    print(f"{told['conversations']:,} conversations in {told['seconds']} s", flush=True)
    newest = Conversation.objects.filter(chatbot_id=told["chatbot_id"]).order_by("-id")[0]
    return ListAccess(
        told["api_key"], {"chatbotId": told["chatbot_id"], "conversationId": newest.id}
    )
