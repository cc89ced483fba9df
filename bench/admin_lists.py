"""What the admin's lists cost with a million turns and a million ledger entries.

    .venv/bin/python -m local run -- .venv/bin/python -m bench.admin_lists [ROWS]

Fills a throwaway database (some minutes), then asks for the first page, each filter and each kind
of search a few times as a superuser, in this process and without a socket, and prints the median in
milliseconds: of the whole page, and of its statements. Nothing asserts a time.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator

import django

ROWS = 1_000_000
ROUNDS = 5
TABLES = ("conversations_conversation", "conversations_turn", "credits_ledgerentry")


def main() -> None:
    """Fill, ask, print."""
    os.environ["LOG_LEVEL"] = "WARNING"
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    from bench.large_tables import fill_tables
    from tests.factories import make_team

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with transaction.atomic():
        terms = fill_tables(make_team(), rows, TABLES)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"VACUUM (ANALYZE) {table}")
    print(f"{rows:,} rows in each table; load {os.getloadavg()[0]:.1f}")
    slowest = 0.0
    for title, whole, statements in _measure_lists(terms):
        slowest = max(slowest, whole)
        print(f"{title:56} {whole:8.1f} ms, of which statements {statements:8.1f} ms", flush=True)
    print(f"slowest: {slowest:.1f} ms")


def _measure_lists(terms: dict[str, str]) -> Iterator[tuple[str, float, float]]:
    from django.contrib import admin
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, setup_test_environment
    from django.urls import reverse

    from tests.factories import make_user

    setup_test_environment()  # responses tell what they were made of
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    for model in admin.site._registry:
        if model._meta.db_table not in TABLES:
            continue
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        changelist = client.get(address).context["cl"]
        asked = {"first page": ""}
        for spec in changelist.filter_specs:
            for choice in spec.choices(changelist):
                asked[f"{spec.title}: {choice['display']}"] = choice["query_string"]
        asked |= {f"search: {name}": f"?q={term}" for name, term in terms.items()}
        for name, query in asked.items():
            whole, statements = [], []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                with CaptureQueriesContext(connection) as queries:
                    status = client.get(address + query).status_code
                whole.append((time.perf_counter() - began) * 1000)
                statements.append(sum(float(q["time"]) for q in queries.captured_queries) * 1000)
                assert status == 200, query
            title = f"{model._meta.verbose_name_plural}, {name}"
            yield title, statistics.median(whole), statistics.median(statements)


if __name__ == "__main__":
    main()
