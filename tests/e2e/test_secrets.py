"""No API key is stored or logged in plain text, and no message is logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg import sql

from apps.api_keys.models import ApiKey
from apps.api_keys.services import revoke_key
from apps.workspaces.models import Workspace
from tests.conftest import StartWeb
from tests.e2e.database_state import turn_statuses, wait_until
from tests.factories import Team, make_api_key, make_user
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

MESSAGE = "walnut butter recipe"
METADATA = {"note": "hazelnut"}
WORDS = ("walnut", "hazelnut")
SANDBOX = ("echo", "slow", "fail-before", "fail-midway", "rate-limited")


@contextmanager
def database_fault(workspace: Workspace) -> Iterator[None]:
    """PostgreSQL rejects this workspace's messages, with the row in the error."""
    name = f"quoting_{workspace.id}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.workspace_id = '{workspace.id}' THEN RAISE EXCEPTION 'refused' USING"
            " DETAIL = 'Failing row contains (' || NEW.text || ').', HINT = NEW.text; END IF;"
            " RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON conversations_message"
            f" FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION {name}() CASCADE")


def send_all_kinds_of_requests(
    web: WebProcess, team: Team
) -> tuple[list[str], list[httpx.Response]]:
    """Send valid and invalid requests; returns the keys that were sent and the responses."""
    callers = [make_caller(web, team.workspace, f"sandbox/{model}") for model in SANDBOX]
    responses = [
        caller.post(MESSAGE, metadata=METADATA, stream=stream)
        for caller in callers
        for stream in (False, True)
    ]
    valid = callers[0]
    revoked, restricted = make_api_key(team.workspace), make_api_key(team.workspace, ["read"])
    revoke_key(key=ApiKey.objects.get(workspace=team.workspace, last4=revoked[-4:]))
    foreign, unknown = make_api_key(team.other_workspace), valid.key[:-1] + "_"
    keys = [*(caller.key for caller in callers), revoked, restricted, foreign, unknown]
    invalid = (revoked, restricted, foreign, unknown, f"{valid.key} {valid.key}")
    responses += [Caller(web, valid.chatbot, key).post(MESSAGE) for key in invalid]
    headers = {"Authorization": valid.key, "Idempotency-Key": MESSAGE}
    body = {"message": MESSAGE}
    responses += [
        httpx.post(valid.url, json=body, headers=headers, verify=SSL_CONTEXT),
        httpx.get(valid.url, headers=valid.all_headers, verify=SSL_CONTEXT),
        httpx.post(valid.url, content=MESSAGE, headers=valid.all_headers, verify=SSL_CONTEXT),
        valid.post(MESSAGE * 5000),
        valid.post(MESSAGE * 100_000),
        valid.post([MESSAGE], metadata=METADATA),
        valid.post(MESSAGE, conversationId="c" + "0" * 24),
        Caller(web, valid.key, valid.key).post(MESSAGE),  # the key in the URL, by mistake
    ]
    with database_fault(team.workspace):
        responses.append(valid.post(MESSAGE, metadata=METADATA))
    return keys, responses


@pytest.fixture
def run_results(own_web: StartWeb, live_team: Team) -> tuple[list[str], list[httpx.Response], str]:
    """The keys, responses and log of a process that is finally killed in the middle of a turn."""
    web = own_web(LOG_LEVEL="DEBUG")
    keys, responses = send_all_kinds_of_requests(web, live_team)
    caller = make_caller(web, live_team.workspace, "sandbox/slow")
    with caller.stream(f"{MESSAGE} " * 20) as response:
        wait_until(lambda: "running" in turn_statuses(live_team.workspace))
        assert response.status_code == 200
        web.kill()
    return [*keys, caller.key], responses, web.log.read_text()


def text_columns() -> list[tuple[str, str]]:
    """Every column that can contain text, of all tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND data_type IN"
            " ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')"
        )
        return [(row[0], row[1]) for row in cursor.fetchall()]


def columns_containing(*texts: str) -> set[str]:
    """The columns that contain any of these texts."""
    found = set()
    with connection.cursor() as cursor:
        for table, column in text_columns():
            query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}::text LIKE ANY (%s))")
            named = query.format(sql.Identifier(table), sql.Identifier(column))
            cursor.execute(named, [[f"%{text}%" for text in texts]])
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    return found


def test_run_leaves_no_secrets(
    run_results: tuple[list[str], list[httpx.Response], str],
) -> None:
    keys, responses, log = run_results
    statuses = {response.status_code for response in responses}
    assert statuses == {200, 400, 401, 403, 404, 405, 413, 415, 500, 502, 503}
    texts = [response.text + str(response.headers) for response in responses]
    leaks = [text for text in texts if any(key in text for key in keys)]
    assert leaks == []
    assert {word for word in WORDS if word in log} == set()
    assert [key for key in keys if key in log or key[-51:] in log] == []
    assert "request_failed" in log
    assert columns_containing(*keys, *(key[-51:] for key in keys)) == set()


def test_search_of_the_tables_finds_stored_text(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    caller.post("chestnut soup", metadata={"note": "peanut soup"})
    digest = ApiKey.objects.get(workspace=live_team.workspace).digest
    assert columns_containing(digest[5:-5]) == {"api_keys_apikey.digest"}
    assert columns_containing("chestnut so", "peanut so") == {
        "conversations_message.text",
        "conversations_message.metadata",
    }


def test_admin_shows_only_the_ends_of_a_key(live_team: Team) -> None:
    secret = make_api_key(live_team.workspace)
    key = ApiKey.objects.get(workspace=live_team.workspace)
    staff = Client()
    staff.force_login(make_user("staff", is_staff=True, is_superuser=True))
    pages = [
        reverse("admin:api_keys_apikey_changelist") + f"?q={key.id}",
        reverse("admin:api_keys_apikey_change", args=[key.id]),
        reverse("admin:api_keys_apikey_history", args=[key.id]),
    ]
    texts = [staff.get(page).content.decode() for page in pages]
    assert [key.shown in text for text in texts[:2]] == [True, True]
    assert [
        word for text in texts for word in (secret, secret[17:], key.digest) if word in text
    ] == []
