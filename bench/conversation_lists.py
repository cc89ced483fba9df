"""Time lists of conversations in a large workspace, in the dashboard and over REST.

    python -m local run -- python -m bench.conversation_lists              100,000 of 10 messages
    python -m local run -- python -m bench.conversation_lists 1000000 1    1,000,000 of 2 messages
    … 1000000 1 no_search                                       the same, without search documents

Fills a throwaway database (some minutes). Then requests each view a few times, in this process
without a socket, and prints median milliseconds, the CPU of this process and of PostgreSQL, which
is more reliable on a busy machine, and the load. No time is asserted.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django
import psutil

ROUNDS = 10
PAGE = 100
CONVERSATIONS = """
INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, source, created_at,
  last_message_at)
SELECT 'c' || lpad(n::text, 24, '0'), %(workspace)s,
       CASE n %% 1000 WHEN 7 THEN %(rare)s ELSE %(chatbot)s END,
       CASE WHEN n %% 5000 = 3 THEN 'fax' WHEN n %% 3 = 0 THEN 'website' ELSE 'api' END,
       now() - n * interval '3 seconds', now() - n * interval '3 seconds' + interval '5 minutes'
FROM generate_series(1, %(conversations)s) AS n
"""
TURNS = """
INSERT INTO conversations_turn (id, workspace_id, chatbot_id, conversation_id, status, message_id,
  model_name, credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
  credits_charged, finish_reason, error_code, process, text_so_far, delta_lengths, request_digest,
  request_id, queue_ms, created_at, heartbeat_at, settled_at)
SELECT 'c' || lpad((n * 10 + m)::text, 24, 't'), %(workspace)s,
       CASE n %% 1000 WHEN 7 THEN %(rare)s ELSE %(chatbot)s END, 'c' || lpad(n::text, 24, '0'),
       CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n %% 5000 = 1 THEN 'stopped' ELSE 'completed' END,
       'c' || lpad((n * 10 + m)::text, 24, 'a'), 'a model', 1, 0, 0, 1, 0, '', '', '', '', '{}', '',
       'req_1', 0, now() - n * interval '3 seconds' + m * interval '5 minutes' / %(turns)s,
       now(), now()
FROM generate_series(1, %(conversations)s) AS n, generate_series(1, %(turns)s) AS m
"""
# Twelve words each: a few words are in every other message and most are rare.
MESSAGES = """
INSERT INTO conversations_message (id, workspace_id, conversation_id, turn_id, role, text,
                                   created_at)
SELECT 'c' || lpad(right(turn.id, 20), 24, CASE role WHEN 'user' THEN 'u' ELSE 'a' END),
       turn.workspace_id, turn.conversation_id, turn.id, role,
       CASE WHEN %(no_search)s THEN 'What a person would say, and some more.' ELSE
         (SELECT string_agg('w' || floor(exp(random() * 11))::text || 'x', ' ')
          FROM generate_series(1, 12) WHERE turn.id IS NOT NULL)
       END,
       turn.created_at + CASE role WHEN 'user' THEN interval '0' ELSE interval '1 second' END
FROM conversations_turn AS turn, unnest(ARRAY['user', 'assistant']) AS role
WHERE turn.workspace_id = %(workspace)s
"""
# The same documents as the indexing task creates, without Python.
SEARCH_DOCUMENTS = """
INSERT INTO conversations_passage (id, workspace_id, conversation_id, words)
SELECT id, workspace_id, conversation_id, array_to_tsvector(string_to_array(text, ' '))
FROM conversations_message WHERE workspace_id = %(workspace)s AND NOT %(no_search)s
"""
LEADS = """
INSERT INTO leads_lead (id, workspace_id, chatbot_id, conversation_id, name, email, phone, source,
                        status, metadata)
SELECT 'c' || lpad(n::text, 24, 'l'), %(workspace)s, %(chatbot)s, 'c' || lpad(n::text, 24, '0'),
       'Ana', n || '@example.com', '', 'chat', 'new', '{}'
FROM generate_series(1, %(conversations)s, 50) AS n
"""
RATINGS = """
INSERT INTO conversations_rating (message_id, workspace_id, conversation_id, value, comment,
                                  actor_kind, actor_id, actor_label)
SELECT id, workspace_id, conversation_id, CASE WHEN random() < 0.1 THEN 'down' ELSE 'up' END, '',
       'person', '', 'ana@example.com'
FROM conversations_message
WHERE workspace_id = %(workspace)s AND role = 'assistant' AND random() < 0.05
"""
VIEWS: dict[str, dict[str, str]] = {
    "newest": {},
    "one chatbot of two, rare": {"chatbot": "rare"},
    "last turn completed": {"status": "completed"},
    "last turn failed (1 in 100)": {"status": "failed"},
    "last turn stopped (1 in 5,000)": {"status": "stopped"},
    "running (none)": {"status": "running"},
    "of a source (1 in 3)": {"source": "website"},
    "of a source (1 in 5,000)": {"source": "fax"},
    "with a lead (1 in 50)": {"lead": "yes"},
    "without a lead": {"lead": "no"},
    "rated down": {"rated": "down"},
    "not rated": {"rated": "none"},
    "a word of half of all": {"search": "w1x"},
    "a word of 1 in 100": {"search": "w100x"},
    "a word of 1 in 10,000": {"search": "w9000x"},
    "two common words": {"search": "w1x w2x"},
    "a common and a rare word": {"search": "w1x w9000x"},
    "the beginning of many words": {"search": "w12"},
    "a word that is in no message": {"search": "parcel"},
    "failed, with a common word": {"status": "failed", "search": "w3x"},
    "by a turn's id": {"search": f"c{'11'.rjust(24, 't')}"},
}


def main() -> None:
    """Fill the tables, time the views and print the medians."""
    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()  # responses have a context
    call_command("migrate", verbosity=0)
    no_search = sys.argv[3:] == ["no_search"]
    conversations, turns = [int(each) for each in sys.argv[1:3]] or [100_000, 5]
    page, rest, rare = _fill(conversations, turns, no_search=no_search)
    views = {title: view for title, view in VIEWS.items() if not (no_search and "search" in view)}
    for title, view in views.items():
        query = _page_query(view, rare)
        _print_row(f"page: {title}", *_measure(page, query))
    for title, view in views.items():
        _print_row(
            f"REST: {title}", *_measure(rest, _rest_query(view, rare) | {"limit": str(PAGE)})
        )
    for number in (2, 10, 100, 1000):
        cursor = _cursor_of_page(number)
        if cursor is not None:
            _print_row(f"page {number}", *_measure(page, {"cursor": cursor}))
            query = {"cursor": cursor, "limit": str(PAGE)}
            _print_row(f"REST: page {number}", *_measure(rest, query))


def _page_query(view: dict[str, str], rare: str) -> dict[str, str]:
    names = {"chatbot": "chatbot_id", "lead": "has_lead"}
    given = {names.get(name, name): value for name, value in view.items()}
    return given | ({"chatbot_id": rare} if "chatbot" in view else {})


def _rest_query(view: dict[str, str], rare: str) -> dict[str, str]:
    given = {name: value for name, value in view.items() if name not in ("chatbot", "lead")}
    if "lead" in view:
        given["hasLead"] = "true" if view["lead"] == "yes" else "false"
    return given | ({"chatbotId": rare} if "chatbot" in view else {})


def _print_row(title: str, rows: int, total: float, sql: float, cpu: float) -> None:
    load = os.getloadavg()[0]
    print(
        f"{title:40} {rows:>4} rows {total:7.0f} ms, SQL {sql:7.0f} ms, CPU {cpu:6.0f} ms, "
        f"load {load:.0f}",
        flush=True,
    )


FetchRows = Callable[[dict[str, str]], int]
"""Requests a list with a query string and returns the number of rows."""


def _fill(conversations: int, turns: int, *, no_search: bool) -> tuple[FetchRows, FetchRows, str]:
    """Fill a workspace; return its dashboard list, its REST list and the id of a rare chatbot."""
    from django.db import connection
    from django.test import Client

    from bench.tenants import create_tenant

    tenant = create_tenant(scopes=["read"], rate_limit_per_hour=10_000)
    workspace = tenant.workspace
    values = {
        "workspace": workspace.id,
        "chatbot": tenant.create_chatbot().id,
        "rare": tenant.create_chatbot().id,
        "conversations": conversations,
        "turns": turns,
        "no_search": no_search,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # foreign keys need no check
        for statement in (CONVERSATIONS, TURNS, MESSAGES, SEARCH_DOCUMENTS, LEADS, RATINGS):
            start = time.perf_counter()
            cursor.execute(statement, values)
            print(f"{cursor.rowcount:,} rows in {time.perf_counter() - start:.0f} s", flush=True)
        cursor.execute("VACUUM ANALYZE")
    browser = Client()
    browser.force_login(tenant.owner)
    api_client = Client(headers=tenant.headers)
    url = f"/w/{workspace.slug}/conversations"

    def page(query: dict[str, str]) -> int:
        return len(browser.get(url, query_params=query).context["rows"])

    def rest(query: dict[str, str]) -> int:
        response: Any = api_client.get("/api/v1/conversations", query_params=query)
        return len(response.json()["data"]["conversations"])

    return page, rest, values["rare"]


def _cursor_of_page(number: int) -> str | None:
    """Return the cursor of a page, or None if there are fewer pages."""
    from apps.api_kit.pagination import encode_cursor
    from apps.conversations.models import Conversation

    rows = Conversation.objects.order_by("-last_message_at", "-id")
    last = rows[(number - 1) * PAGE - 1 : (number - 1) * PAGE].first()
    return encode_cursor(last.last_message_at, last.id) if last else None


def _measure(get: FetchRows, query: dict[str, str]) -> tuple[int, float, float, float]:
    """Return rows, median milliseconds of the response and of its SQL, and CPU of a response."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    database = psutil.Process(connection.connection.info.backend_pid)
    total, sql, rows = [], [], 0
    get(query)  # warm up
    before = _cpu_seconds(database)
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with CaptureQueriesContext(connection) as statements:
            rows = get(query)
        total.append((time.perf_counter() - start) * 1000)
        sql.append(sum(float(each["time"]) for each in statements) * 1000)
    cpu = (_cpu_seconds(database) - before) / ROUNDS * 1000
    return rows, statistics.median(total), statistics.median(sql), cpu


def _cpu_seconds(database: psutil.Process) -> float:
    """Return the CPU seconds of this process and of its PostgreSQL backend."""
    backend = database.cpu_times()
    return time.process_time() + backend.user + backend.system


if __name__ == "__main__":
    main()
