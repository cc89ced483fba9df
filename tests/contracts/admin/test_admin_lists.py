"""Admin lists never read a large table completely."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client

from bench.large_tables import LARGE_TABLES, ROWS, fill_tables
from tests.contracts.admin.admin_rows import admin_url
from tests.factories import Team, make_user

MAX_ROWS_READ = ROWS // 10
LISTS = [model for model in admin.site._registry if model._meta.db_table in LARGE_TABLES]

Plan = dict[str, Any]


@pytest.fixture(scope="module")
def terms(module_team: Team) -> dict[str, str]:
    """Fill every large table, and return search terms that find some of the rows.

    Rows of other tests are removed, which the rollback undoes: their times do not fit their ids.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"TRUNCATE {', '.join(sorted(LARGE_TABLES))} CASCADE")
        cursor.execute("SET LOCAL session_replication_role = origin")
    return fill_tables(module_team.workspace)


@pytest.fixture(scope="module")
def staff(module_team: Team) -> Client:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


@contextmanager
def record_plans() -> Iterator[list[tuple[str, Plan]]]:
    """Collects the executed plan of every SELECT on a large table."""
    plans: list[tuple[str, Plan]] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if sql.startswith("SELECT") and any(f'FROM "{table}"' in sql for table in LARGE_TABLES):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                (found,) = cursor.fetchone()
            plan = found if isinstance(found, list) else json.loads(found)
            plans.append((sql, plan[0]["Plan"]))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(explain):
        yield plans


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def rows_read(plan: Plan) -> int:
    """The rows of large tables that were read by the node that read the most."""
    counts = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") in LARGE_TABLES
    ]
    return int(max(counts, default=0))


def expensive_queries(plans: Sequence[tuple[str, Plan]]) -> list[str]:
    """The queries that scan a large table, or read more than a tenth of it."""
    return [
        f"{rows_read(plan):,} rows: {sql}"
        for sql, plan in plans
        if rows_read(plan) > MAX_ROWS_READ
        or any(
            n["Node Type"] == "Seq Scan" and n["Relation Name"] in LARGE_TABLES for n in nodes(plan)
        )
    ]


def test_every_large_table_has_a_list() -> None:
    assert {model._meta.db_table for model in LISTS} == LARGE_TABLES


@pytest.mark.parametrize("model", LISTS, ids=lambda model: str(model.__name__))
def test_list_reads_no_large_table_completely(
    staff: Client, terms: dict[str, str], model: type[Model]
) -> None:
    address = admin_url(model, "changelist")
    with record_plans() as plans:
        first = staff.get(address)
        queries = ["", *(f"?q={term}" for term in terms.values()), "?p=3"]
        for spec in first.context["cl"].filter_specs:
            queries += [each["query_string"] for each in spec.choices(first.context["cl"])]
        for query in queries:
            assert staff.get(address + query).status_code == 200, query
    assert (first.context["cl"].result_list.count() > 0, len(plans) > 5) == (True, True)
    assert expensive_queries(plans) == []


def test_full_table_scan_is_detected(terms: dict[str, str]) -> None:
    with record_plans() as plans, connection.cursor() as cursor:
        for where in ("status = 'stopped'", "model_name = 'another'"):
            cursor.execute(
                f'SELECT id FROM "conversations_turn" WHERE {where} ORDER BY id DESC LIMIT 51'
            )
    assert [sql.split("WHERE ")[1].split()[0] for sql in expensive_queries(plans)] == ["model_name"]


def test_lists_search_for_exact_terms(staff: Client, terms: dict[str, str]) -> None:
    found: dict[str, dict[str, int]] = {name: {} for name in terms}
    for model in LISTS:
        for name, term in terms.items():
            page = staff.get(admin_url(model, "changelist"), {"q": term})
            found[name][model.__name__] = len(page.context["cl"].result_list)
    models_by_workspace = {name for name, rows in found["a workspace"].items() if rows}
    models_by_id = {name for name, rows in found["an id"].items() if rows == 1}
    without = {"CapturedField", "Reading"}
    names = {model.__name__ for model in LISTS}
    assert (models_by_workspace, models_by_id) == (names - without, names - {"IdempotentAnswer"})
    assert set(found["nothing"].values()) == {0}
    assert found["a reference"]["LedgerEntry"] == found["a request"]["Turn"] == 1
    assert found["an email address"]["AuditEntry"] > 0
