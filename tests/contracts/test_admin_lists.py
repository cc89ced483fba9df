"""The admin's lists however long: no statement of theirs reads a table that grows with use."""

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
from tests.contracts.test_admin import url
from tests.factories import Team, make_user

MOST_READ = ROWS // 10
LISTS = [model for model in admin.site._registry if model._meta.db_table in LARGE_TABLES]
JOINED = {"leads_lead"}
"""Long tables of which a list of another shows a name."""

Plan = dict[str, Any]


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


@contextmanager
def explained() -> Iterator[list[tuple[str, Plan]]]:
    """The plan of every SELECT on a long table, as it was carried out."""
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


def read(plan: Plan) -> int:
    """How many rows of long tables were looked at, by the node that looked at the most."""
    looked = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") in LARGE_TABLES
    ]
    return int(max(looked, default=0))


def wrong(plans: Sequence[tuple[str, Plan]]) -> list[str]:
    """What reads a long table from end to end, or more of it than a tenth."""
    return [
        f"{read(plan):,} rows: {sql}"
        for sql, plan in plans
        if read(plan) > MOST_READ
        or any(
            n["Node Type"] == "Seq Scan" and n["Relation Name"] in LARGE_TABLES for n in nodes(plan)
        )
    ]


def test_every_table_that_grows_with_use_has_a_list() -> None:
    assert {model._meta.db_table for model in LISTS} == LARGE_TABLES


@pytest.mark.parametrize("model", LISTS, ids=lambda model: str(model.__name__))
def test_list_reads_no_long_table_whole(staff: Client, team: Team, model: type[Model]) -> None:
    terms = fill_tables(team.workspace, tables={model._meta.db_table, *JOINED})
    address = url(model, "changelist")
    with explained() as plans:
        first = staff.get(address)
        asked = ["", *(f"?q={term}" for term in terms.values()), "?p=3"]
        for spec in first.context["cl"].filter_specs:
            asked += [each["query_string"] for each in spec.choices(first.context["cl"])]
        for query in asked:
            assert staff.get(address + query).status_code == 200, query
    assert (first.context["cl"].result_list.count() > 0, len(plans) > 5) == (True, True)
    assert wrong(plans) == []


def test_a_list_that_did_read_its_table_would_be_found(team: Team) -> None:
    fill_tables(team.workspace, tables={"conversations_turn"})
    with explained() as plans, connection.cursor() as cursor:
        for where in ("status = 'stopped'", "model_name = 'another'"):
            cursor.execute(
                f'SELECT id FROM "conversations_turn" WHERE {where} ORDER BY id DESC LIMIT 51'
            )
    assert [sql.split("WHERE ")[1].split()[0] for sql in wrong(plans)] == ["model_name"]


def test_lists_of_history_find_by_the_very_words(staff: Client, team: Team) -> None:
    terms = fill_tables(team.workspace, rows=1000)
    found: dict[str, dict[str, int]] = {name: {} for name in terms}
    for model in LISTS:
        for name, term in terms.items():
            page = staff.get(url(model, "changelist"), {"q": term})
            found[name][model.__name__] = len(page.context["cl"].result_list)
    of_a_workspace = {name for name, rows in found["a workspace"].items() if rows}
    by_id = {name for name, rows in found["an id"].items() if rows == 1}
    without = {"CapturedField", "Reading"}
    names = {model.__name__ for model in LISTS}
    assert (of_a_workspace, by_id) == (names - without, names - {"IdempotentAnswer"})
    assert set(found["nothing"].values()) == {0}
    assert found["a reference"]["LedgerEntry"] == found["a request"]["Turn"] == 1
    assert found["an email address"]["AuditEntry"] > 0
