"""After all kinds of requests: no API key anywhere in the clear, no message in a log."""

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
    """PostgreSQL refuses this workspace's messages, and quotes the row as it does."""
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


def everything_goes_wrong(web: WebProcess, team: Team) -> tuple[list[str], list[httpx.Response]]:
    """All kinds of requests; returns the keys that were sent and what came back."""
    callers = [make_caller(web, team.workspace, f"sandbox/{model}") for model in SANDBOX]
    responses = [
        caller.post(MESSAGE, metadata=METADATA, stream=stream)
        for caller in callers
        for stream in (False, True)
    ]
    good = callers[0]
    revoked, weak = make_api_key(team.workspace), make_api_key(team.workspace, ["read"])
    revoke_key(key=ApiKey.objects.get(workspace=team.workspace, last4=revoked[-4:]))
    foreign, unknown = make_api_key(team.other_workspace), good.key[:-1] + "_"
    keys = [*(caller.key for caller in callers), revoked, weak, foreign, unknown]
    bad = (revoked, weak, foreign, unknown, f"{good.key} {good.key}")
    responses += [Caller(web, good.chatbot, key).post(MESSAGE) for key in bad]
    headers = {"Authorization": good.key, "Idempotency-Key": MESSAGE}
    body = {"message": MESSAGE}
    responses += [
        httpx.post(good.url, json=body, headers=headers, verify=SSL_CONTEXT),
        httpx.get(good.url, headers=good.all_headers, verify=SSL_CONTEXT),
        httpx.post(good.url, content=MESSAGE, headers=good.all_headers, verify=SSL_CONTEXT),
        good.post(MESSAGE * 5000),
        good.post(MESSAGE * 100_000),
        good.post([MESSAGE], metadata=METADATA),
        good.post(MESSAGE, conversationId="c" + "0" * 24),
        Caller(web, good.key, good.key).post(MESSAGE),  # the key in the address, by mistake
    ]
    with database_fault(team.workspace):
        responses.append(good.post(MESSAGE, metadata=METADATA))
    return keys, responses


@pytest.fixture
def remains(own_web: StartWeb, live_team: Team) -> tuple[list[str], list[httpx.Response], str]:
    """The keys of a whole run, its responses, and its log up to a crash in the middle of a turn."""
    web = own_web(LOG_LEVEL="DEBUG")
    keys, responses = everything_goes_wrong(web, live_team)
    caller = make_caller(web, live_team.workspace, "sandbox/slow")
    with caller.stream(f"{MESSAGE} " * 20) as response:
        wait_until(lambda: "running" in turn_statuses(live_team.workspace))
        assert response.status_code == 200
        web.kill()
    return [*keys, caller.key], responses, web.log.read_text()


def columns() -> list[tuple[str, str]]:
    """Every column of every table that could hold a text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND data_type IN"
            " ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')"
        )
        return [(row[0], row[1]) for row in cursor.fetchall()]


def where(*texts: str) -> set[str]:
    """The columns in which any of these texts is, or is a part of what is."""
    found = set()
    with connection.cursor() as cursor:
        for table, column in columns():
            query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}::text LIKE ANY (%s))")
            named = query.format(sql.Identifier(table), sql.Identifier(column))
            cursor.execute(named, [[f"%{text}%" for text in texts]])
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    return found


def test_run_leaves_no_secret_behind(
    remains: tuple[list[str], list[httpx.Response], str],
) -> None:
    keys, responses, log = remains
    statuses = {response.status_code for response in responses}
    assert statuses == {200, 400, 401, 403, 404, 405, 413, 415, 500, 502, 503}
    seen = [response.text + str(response.headers) for response in responses]
    told = [text for text in seen if any(key in text for key in keys)]
    assert told == []
    assert {word for word in WORDS if word in log} == set()
    assert [key for key in keys if key in log or key[-51:] in log] == []
    assert "request_failed" in log
    assert where(*keys, *(key[-51:] for key in keys)) == set()


def test_search_of_the_tables_finds_what_is_there(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    caller.post("chestnut soup", metadata={"note": "peanut soup"})
    digest = ApiKey.objects.get(workspace=live_team.workspace).digest
    assert where(digest[5:-5]) == {"api_keys_apikey.digest"}
    assert where("chestnut so", "peanut so") == {
        "conversations_message.text",
        "conversations_message.metadata",
    }


def test_admin_shows_a_key_by_its_ends_alone(live_team: Team) -> None:
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
