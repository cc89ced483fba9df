"""Time the admin's lists with a million turns and a million ledger entries.

    .venv/bin/python -m local run -- .venv/bin/python -m bench.admin_lists [ROWS]

Fills a throwaway database (some minutes). Then requests the first page, each filter and each kind
of search a few times as a superuser, in this process without a socket, and prints median
milliseconds of the whole page and of its SQL statements. No time is asserted.
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
    """Fill the tables, time the lists and print the medians."""
    os.environ["LOG_LEVEL"] = "WARNING"
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    from bench.large_tables import fill_tables
    from bench.tenants import create_tenant

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with transaction.atomic():
        terms = fill_tables(create_tenant().workspace, rows, TABLES)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"VACUUM (ANALYZE) {table}")
    print(f"{rows:,} rows in each table; load {os.getloadavg()[0]:.1f}")
    slowest = 0.0
    for title, page, statements in _measure_lists(terms):
        slowest = max(slowest, page)
        print(f"{title:56} {page:8.1f} ms, of which statements {statements:8.1f} ms", flush=True)
    print(f"slowest: {slowest:.1f} ms")


def _measure_lists(terms: dict[str, str]) -> Iterator[tuple[str, float, float]]:
    from django.contrib import admin
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, setup_test_environment
    from django.urls import reverse

    from apps.accounts.models import User

    setup_test_environment()  # responses have a context
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com"))
    for model in admin.site._registry:
        if model._meta.db_table not in TABLES:
            continue
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        changelist = client.get(address).context["cl"]
        queries = {"first page": ""}
        for spec in changelist.filter_specs:
            for choice in spec.choices(changelist):
                queries[f"{spec.title}: {choice['display']}"] = choice["query_string"]
        queries |= {f"search: {name}": f"?q={term}" for name, term in terms.items()}
        for name, query in queries.items():
            pages, statements = [], []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                with CaptureQueriesContext(connection) as captured:
                    status = client.get(address + query).status_code
                pages.append((time.perf_counter() - start) * 1000)
                statements.append(sum(float(q["time"]) for q in captured.captured_queries) * 1000)
                assert status == 200, query
            title = f"{model._meta.verbose_name_plural}, {name}"
            yield title, statistics.median(pages), statistics.median(statements)


if __name__ == "__main__":
    main()
