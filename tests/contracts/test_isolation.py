"""Every operation rejects keys without access, and never shows rows of other workspaces.

The operations are found from the URL routes, so new ones are tested automatically.
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
from tests.contracts.api_operations import Operation, operations, routes
from tests.contracts.tenant_rows import SHARED_IDS, TenantRows, body_for, id_name, make_tenant_rows
from tests.factories import delete_webhook_endpoints, make_api_key, make_team
from tests.web_processes import SSL_CONTEXT, WebProcess

OPERATIONS = operations()
EACH_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
IDS = [
    (operation, name)
    for operation in OPERATIONS
    for name in [*operation.parameters, *(operation.body or {}).get("required", [])]
    if name.endswith("_id") or id_name(name)
]
EACH_ID = pytest.mark.parametrize(
    ("operation", "name"), IDS, ids=[f"{operation} {name}" for operation, name in IDS]
)
NINJA_PATH_IDS = [
    (operation, name)
    for operation, name in IDS
    if operation.is_ninja and name in operation.parameters and name not in SHARED_IDS
]
"""Path ids of ninja operations: the queries of the chat views run in other threads."""


@pytest.fixture(scope="module")
def tenants(committed: None) -> Iterator[tuple[TenantRows, TenantRows]]:
    """Rows of Alice's workspace and of Charlie's. Tests do not change them."""
    team = make_team()
    yield make_tenant_rows(team.workspace), make_tenant_rows(team.other_workspace)
    delete_webhook_endpoints(team)


@pytest.fixture(scope="module")
def keys(tenants: tuple[TenantRows, TenantRows]) -> dict[str, str]:
    """A revoked and an expired key of Alice's workspace, and a valid one of each workspace."""
    workspace = tenants[0].workspace
    revoked, expired = (issue_key(workspace=workspace, name="n", scopes=Scope.values) for _ in "ab")
    revoke_key(key=revoked[0])
    past = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.filter(id=expired[0].id).update(expires_at=past)
    valid = {
        name: make_full_key(each.workspace)
        for name, each in zip(("own", "other"), tenants, strict=True)
    }
    return {**valid, "revoked": revoked[1], "expired": expired[1]}


def make_full_key(workspace: Workspace) -> str:
    return issue_key(
        workspace=workspace, name="all", scopes=Scope.values, rate_limit_per_hour=10_000
    )[1]


@pytest.fixture(scope="module")
def caller() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, verify=SSL_CONTEXT) as client:
        yield client


class Ids:
    """Returns ids of these rows by name, except those in `instead`."""

    def __init__(self, rows: TenantRows, **instead: str) -> None:
        self.rows, self.instead = rows, instead

    def __call__(self, name: str) -> str:
        return self.instead.get(name) or self.rows.id_of(name)


def send(
    caller: httpx.Client, web: WebProcess, operation: Operation, ids: Ids, key: str | None
) -> httpx.Response:
    path = operation.url_path({name: ids(name) for name in operation.parameters})
    body = body_for(operation.body, ids)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return caller.request(operation.method, web.url + path, json=body, headers=headers)


def outcome(operation: Operation, response: httpx.Response) -> tuple[int, str | None]:
    """Status and error code of a response."""
    body = response.json()
    code = body["error"]["code"] if operation.is_openai else body.get("code")
    return response.status_code, code.upper() if code else code


def test_every_route_is_tested() -> None:
    tested = {operation.path for operation in OPERATIONS}
    assert tested == routes()
    assert len(OPERATIONS) > 40


def test_every_operation_requires_a_scope() -> None:
    assert [str(operation) for operation in OPERATIONS if not operation.scopes] == []


@EACH_OPERATION
def test_missing_or_invalid_key_is_rejected(
    operation: Operation,
    web: WebProcess,
    tenants: tuple[TenantRows, TenantRows],
    keys: Mapping[str, str],
    caller: httpx.Client,
) -> None:
    ids = Ids(tenants[0])
    outcomes = [
        outcome(operation, send(caller, web, operation, ids, key))
        for key in (None, keys["revoked"], keys["expired"], "sk-workspace_" + "a" * 51)
    ]
    assert outcomes == [(401, "MISSING_AUTH_HEADER"), *[(401, "INVALID_API_KEY")] * 3]


@EACH_OPERATION
def test_key_without_the_scope_is_rejected(
    operation: Operation,
    web: WebProcess,
    tenants: tuple[TenantRows, TenantRows],
    caller: httpx.Client,
) -> None:
    others = sorted(set(Scope.values) - operation.scopes)
    key = make_api_key(tenants[0].workspace, others)
    response = send(caller, web, operation, Ids(tenants[0]), key)
    assert outcome(operation, response) == (403, "SCOPE_MISSING")


@EACH_OPERATION
def test_key_of_another_workspace_has_no_access(
    operation: Operation,
    web: WebProcess,
    tenants: tuple[TenantRows, TenantRows],
    keys: Mapping[str, str],
    caller: httpx.Client,
) -> None:
    before = snapshot(tenants[0].workspace)
    response = send(caller, web, operation, Ids(tenants[0]), keys["other"])
    if any(op is operation and id_of(name) not in SHARED_IDS for op, name in IDS):
        assert response.status_code == 404
    ours = [id for name, id in tenants[0].ids.items() if name not in SHARED_IDS]
    sent = {id for id in ours if id in str(response.request.url)}
    assert [id for id in ours if id not in sent and id in response.text] == []
    assert snapshot(tenants[0].workspace) == before


@EACH_ID
def test_foreign_missing_and_malformed_ids_look_alike(
    operation: Operation,
    name: str,
    web: WebProcess,
    tenants: tuple[TenantRows, TenantRows],
    keys: Mapping[str, str],
    caller: httpx.Client,
) -> None:
    row = id_of(name)
    ids = [new_id()] if row in SHARED_IDS else [tenants[1].id_of(row), new_id()]
    if name in operation.parameters:
        ids.append("nothing")
    responses = [
        send(caller, web, operation, Ids(tenants[0], **{row: id}), keys["own"]) for id in ids
    ]
    bodies = {
        response.content.replace(id.encode(), b"")
        for response, id in zip(responses, ids, strict=True)
    }
    # An id of a shared row in the body is validated like any field: status 400.
    expected = 400 if row in SHARED_IDS and name not in operation.parameters else 404
    assert ({response.status_code for response in responses}, len(bodies)) == ({expected}, 1)


@pytest.mark.parametrize(("operation", "name"), NINJA_PATH_IDS, ids=str)
def test_foreign_and_missing_ids_run_the_same_statements(
    operation: Operation, name: str, tenants: tuple[TenantRows, TenantRows], keys: Mapping[str, str]
) -> None:
    statements_by_id = [
        statements(operation, Ids(tenants[0], **{name: id}), keys["own"])
        for id in (new_id(), tenants[1].id_of(name), new_id())
    ]
    # The first request may save the last use of the key.
    assert statements_by_id[1] == statements_by_id[2]
    assert len(statements_by_id[1]) > 1


def statements(operation: Operation, ids: Ids, key: str) -> list[str]:
    """The SQL statements of the operation, without values."""
    path = operation.url_path({name: ids(name) for name in operation.parameters})
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


def snapshot(workspace: Workspace) -> Mapping[str, Any]:
    """The count and a hash of the workspace's rows in each table."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'workspace_id' AND table_schema = 'public'"
        )
        for (table,) in cursor.fetchall():
            # The request used Charlie's key, so no row of Alice's may change, not even “last used”.
            cursor.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
                " WHERE workspace_id = %s",
                [workspace.id],
            )
            found[table] = cursor.fetchone()
    return found
