"""Time lists of leads in a workspace with a million leads.

    .venv/bin/python -m local run -- .venv/bin/python -m bench.lead_lists

Fills a throwaway database (some minutes). Then requests each list a few times over the REST API, in
this process without a socket, and prints median milliseconds. No time is asserted.
"""

from __future__ import annotations

import statistics
import sys
import time

import django

LEADS = 1_000_000
ROUNDS = 5
FILL = """
INSERT INTO leads_lead (id, workspace_id, chatbot_id, name, email, phone, source, status, metadata,
                        created_at, updated_at)
SELECT 'c' || lpad(n::text, 24, '0'), %(workspace)s, %(chatbot)s,
       initcap(substr(md5(n::text), 1, 6)) || ' ' || initcap(substr(md5('x' || n), 1, 8)),
       substr(md5(n::text), 1, 8) || n || '@'
         || (ARRAY['example.com', 'mail.example', 'post.example'])[1 + n %% 3],
       '', (ARRAY['api', 'chat', 'fair'])[1 + n %% 3],
       (ARRAY['new', 'contacted', 'lost'])[1 + n %% 3], '{}',
       now() - n * interval '1 second', now()
FROM generate_series(%(first)s, %(last)s) AS n
"""
QUERIES: dict[str, dict[str, object]] = {
    "first page": {},
    "page 1,000 of 100": {"page": 1000, "limit": 100},
    "last page of 100": {"page": 10_000, "limit": 100},
    "status": {"status": "lost"},
    "status and source, page 50": {"status": "lost", "source": "fair", "page": 50},
    "search: one email": {"search": "c4ca42381@mail"},
    "search: part of a name, few": {"search": "c4ca4 "},
    "search: two characters": {"search": "zz"},
    "search: two characters, thousands": {"search": "ab"},
    "search: a third of all": {"search": "post.ex"},
    "search: nothing found": {"search": "nobody at all"},
}


def main() -> None:
    """Fill the table, time the queries and print the medians."""
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    root, key = _fill(LEADS if len(sys.argv) < 2 else int(sys.argv[1]))
    for title, query in QUERIES.items():
        for scope, path in (("workspace", "/api/v1/leads"), ("chatbot", root)):
            total, milliseconds = _measure(path, key, query)
            print(f"{title:36} {scope:10} {total:>9,} found {milliseconds:8.1f} ms")


def _fill(leads: int) -> tuple[str, str]:
    from django.db import connection

    from bench.tenants import create_tenant

    tenant = create_tenant(scopes=["read"])
    chatbot = tenant.create_chatbot()
    with connection.cursor() as cursor:
        for first in range(1, leads + 1, 100_000):
            last = min(first + 99_999, leads)
            bounds = {"first": first, "last": last}
            cursor.execute(
                FILL, {"workspace": tenant.workspace.id, "chatbot": chatbot.id, **bounds}
            )
        cursor.execute("VACUUM ANALYZE leads_lead")
    return f"/api/v1/chatbots/{chatbot.id}/leads", tenant.api_key


def _measure(path: str, key: str, query: dict[str, object]) -> tuple[int, float]:
    from django.test import Client

    client, milliseconds, total = Client(), [], 0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        response = client.get(
            path,
            query_params=query,
            headers={"authorization": f"Bearer {key}"},
        )
        milliseconds.append((time.perf_counter() - start) * 1000)
        total = response.json()["data"]["pagination"]["total"]
    return total, statistics.median(milliseconds)


if __name__ == "__main__":
    main()
