"""No key opens more than it may: every operation of the API, by every key that it must refuse.

The operations are found from the routes: a new one is tested here without being named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key, revoke_key
from apps.api_kit.callers import Scope
from apps.core.ids import new_id
from apps.workspaces.models import Workspace
from tests.contracts.api_operations import Operation, addresses, operations
from tests.contracts.tenant_rows import SHARED_IDS, TenantRows, body_for, id_name, make_tenant_rows
from tests.factories import delete_webhook_endpoints, make_api_key, make_team
from tests.web_processes import SSL_CONTEXT, WebProcess

ALL = operations()
EACH = pytest.mark.parametrize("operation", ALL, ids=str)
NAMED = [
    (operation, name)
    for operation in ALL
    for name in [*operation.parameters, *(operation.body or {}).get("required", [])]
    if name.endswith("_id") or id_name(name)
]
EACH_NAME = pytest.mark.parametrize(
    ("operation", "name"), NAMED, ids=[f"{operation} {name}" for operation, name in NAMED]
)
LOOKED_UP = [
    (operation, name)
    for operation, name in NAMED
    if operation.is_ninja and name in operation.parameters and name not in SHARED_IDS
]
"""Ids that are looked up in the test's own process: the chat's views keep threads of their own."""


@pytest.fixture(scope="module")
def worlds(committed: None) -> Iterator[tuple[TenantRows, TenantRows]]:
    """Alice's workspace and Charlie's, with one of everything in each. Nothing changes them."""
    team = make_team()
    yield make_tenant_rows(team.workspace), make_tenant_rows(team.other_workspace)
    delete_webhook_endpoints(team)


@pytest.fixture(scope="module")
def keys(worlds: tuple[TenantRows, TenantRows]) -> dict[str, str]:
    """One key of Alice's workspace for each way of being refused, and two that are good."""
    workspace = worlds[0].workspace
    revoked, expired = (issue_key(workspace=workspace, name="n", scopes=Scope.values) for _ in "ab")
    revoke_key(key=revoked[0])
    past = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.filter(id=expired[0].id).update(expires_at=past)
    good = {
        name: every_scope(world.workspace)
        for name, world in zip(("own", "other"), worlds, strict=True)
    }
    return {**good, "revoked": revoked[1], "expired": expired[1]}


def every_scope(workspace: Workspace) -> str:
    return issue_key(
        workspace=workspace, name="all", scopes=Scope.values, rate_limit_per_hour=10_000
    )[1]


@pytest.fixture(scope="module")
def caller() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, verify=SSL_CONTEXT) as client:
        yield client


class Ids:
    """The ids of a world, some of them replaced; remembers nothing and changes nothing."""

    def __init__(self, world: TenantRows, **instead: str) -> None:
        self.world, self.instead = world, instead

    def __call__(self, name: str) -> str:
        return self.instead.get(name) or self.world.id_of(name)


def send(
    caller: httpx.Client, web: WebProcess, operation: Operation, ids: Ids, key: str | None
) -> httpx.Response:
    path = operation.at({name: ids(name) for name in operation.parameters})
    body = body_for(operation.body, ids)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return caller.request(operation.method, web.url + path, json=body, headers=headers)


def told(operation: Operation, response: httpx.Response) -> tuple[int, str | None]:
    """Status and code, which OpenAI's wire has elsewhere."""
    body = response.json()
    code = body["error"]["code"] if operation.is_openai else body.get("code")
    return response.status_code, code.upper() if code else code


def test_every_address_is_tested() -> None:
    known = {operation.path for operation in ALL}
    assert addresses() - known == {"/api/v1/openai/{rest}"}
    assert known - addresses() == set()
    assert len(ALL) > 40


def test_every_operation_wants_a_scope() -> None:
    assert [str(operation) for operation in ALL if not operation.scopes] == []


@EACH
def test_key_that_is_none_is_refused(
    operation: Operation,
    web: WebProcess,
    worlds: tuple[TenantRows, TenantRows],
    keys: Mapping[str, str],
    caller: httpx.Client,
) -> None:
    ids = Ids(worlds[0])
    refused = [
        told(operation, send(caller, web, operation, ids, key))
        for key in (None, keys["revoked"], keys["expired"], "sk-workspace_" + "a" * 51)
    ]
    assert refused == [(401, "MISSING_AUTH_HEADER"), *[(401, "INVALID_API_KEY")] * 3]


@EACH
def test_key_of_too_small_a_scope_is_refused(
    operation: Operation,
    web: WebProcess,
    worlds: tuple[TenantRows, TenantRows],
    caller: httpx.Client,
) -> None:
    others = sorted(set(Scope.values) - operation.scopes)
    key = make_api_key(worlds[0].workspace, others)
    response = send(caller, web, operation, Ids(worlds[0]), key)
    assert told(operation, response) == (403, "SCOPE_MISSING")


@EACH
def test_key_of_another_workspace_sees_and_changes_nothing_here(
    operation: Operation,
    web: WebProcess,
    worlds: tuple[TenantRows, TenantRows],
    keys: Mapping[str, str],
    caller: httpx.Client,
) -> None:
    before = rows(worlds[0].workspace)
    response = send(caller, web, operation, Ids(worlds[0]), keys["other"])
    if any(op is operation and id_of(name) not in SHARED_IDS for op, name in NAMED):
        assert response.status_code == 404
    ours = [id for name, id in worlds[0].ids.items() if name not in SHARED_IDS]
    sent = {id for id in ours if id in str(response.request.url)}
    assert [id for id in ours if id not in sent and id in response.text] == []
    assert rows(worlds[0].workspace) == before


@EACH_NAME
def test_foreign_absent_and_malformed_ids_are_the_same(
    operation: Operation,
    name: str,
    web: WebProcess,
    worlds: tuple[TenantRows, TenantRows],
    keys: Mapping[str, str],
    caller: httpx.Client,
) -> None:
    row = id_of(name)
    ids = [new_id()] if row in SHARED_IDS else [worlds[1].id_of(row), new_id()]
    if name in operation.parameters:
        ids.append("nothing")
    answers = [send(caller, web, operation, Ids(worlds[0], **{row: id}), keys["own"]) for id in ids]
    bodies = {
        response.content.replace(id.encode(), b"")
        for response, id in zip(answers, ids, strict=True)
    }
    # A body's id that belongs to no workspace is a field of the body: a 400 that names it.
    expected = 400 if row in SHARED_IDS and name not in operation.parameters else 404
    assert ({response.status_code for response in answers}, len(bodies)) == ({expected}, 1)


@pytest.mark.parametrize(("operation", "name"), LOOKED_UP, ids=str)
def test_foreign_id_costs_the_same_statements_as_an_absent_one(
    operation: Operation, name: str, worlds: tuple[TenantRows, TenantRows], keys: Mapping[str, str]
) -> None:
    looked = [
        statements(operation, Ids(worlds[0], **{name: id}), keys["own"])
        for id in (new_id(), worlds[1].id_of(name), new_id())
    ]
    # The first may mark the key as used.
    assert looked[1] == looked[2]
    assert len(looked[1]) > 1


def statements(operation: Operation, ids: Ids, key: str) -> list[str]:
    """What the operation asks of PostgreSQL, without the values."""
    path = operation.at({name: ids(name) for name in operation.parameters})
    with CaptureQueriesContext(connection) as queries:
        Client().generic(
            operation.method,
            path,
            httpx.Request("POST", "http://x", json=body_for(operation.body, ids)).content,
            content_type="application/json",
            headers={"authorization": f"Bearer {key}"},
        )
    return [re.sub(r"'[^']*'", "?", query["sql"]) for query in queries]


def id_of(name: str) -> str:
    return name if name.endswith("_id") else id_name(name) or name


def rows(workspace: Workspace) -> Mapping[str, Any]:
    """How many rows of each table the workspace has, and how the newest of them look."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'workspace_id' AND table_schema = 'public'"
        )
        for (table,) in cursor.fetchall():
            # The key that asked is Charlie's: nothing of Alice's is touched, not even “last used”.
            cursor.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
                " WHERE workspace_id = %s",
                [workspace.id],
            )
            found[table] = cursor.fetchone()
    return found
