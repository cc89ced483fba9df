"""Measure what the ledger's hash chain adds to the statement that settles turns.

    .venv/bin/python -m local run -- .venv/bin/python -m bench.settling

Creates two throwaway databases with the same rows, removes the chain from one (trigger and index;
the indexes that it replaced come back), and settles turns in both alternately, so that noise on the
machine affects both. Prints median microseconds for statements of 1, 4 and 16 turns.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import django
import psycopg

ROUNDS = 600
WARMUP_ROUNDS = 200
LEDGER_ENTRIES = 100_000
REMOVE_CHAIN = """
DROP TRIGGER credits_ledger_is_a_chain ON credits_ledgerentry;
DROP INDEX credits_ledger_in_order;
DROP INDEX credits_ledger_made_by;
CREATE INDEX ON credits_ledgerentry (workspace_id);
CREATE INDEX ON credits_ledgerentry (created_by_id);
"""
INSERT_PAST_ENTRIES = """
INSERT INTO credits_ledgerentry (id, workspace_id, kind, amount, balance_after, reason, created_at)
SELECT 'e' || lpad(n::text, 24, '0'), %s, 'refund', 1, 10000000 + n, '', now() - interval '1 day'
FROM generate_series(1, %s) AS n
"""
SETTINGS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
    "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
)


def main() -> None:
    """Fill a database, copy it, settle turns in both, print the medians."""
    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    call_command("migrate", verbosity=0)
    ids = create_workspace()
    with connection.cursor() as cursor:
        cursor.execute(INSERT_PAST_ENTRIES, [ids["workspace_id"], LEDGER_ENTRIES])
        cursor.execute("VACUUM ANALYZE")
    name = connection.settings_dict["NAME"]
    connections.close_all()
    pool: Any = connection
    pool.close_pool()
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE unchained TEMPLATE "{name}"')
    unchained_url = url.rsplit("/", 1)[0] + "/unchained"
    with (
        psycopg.connect(unchained_url, autocommit=True, options=SETTINGS) as without,
        psycopg.connect(url, autocommit=True, options=SETTINGS) as chained,
    ):
        without.execute(REMOVE_CHAIN)
        print("turns  without   chained   (medians in µs, and the difference)")
        for database in (without, chained):
            for _ in range(WARMUP_ROUNDS):
                settle(database, ids, 16)
            database.execute("VACUUM ANALYZE")
        for turns in (1, 4, 16):
            times: dict[str, list[float]] = {"without": [], "chained": []}
            for _ in range(ROUNDS):
                times["without"].append(settle(without, ids, turns))
                times["chained"].append(settle(chained, ids, turns))
            before, after = (statistics.median(each) * 1e6 for each in times.values())
            print(f"{turns:>5} {before:>8.0f} {after:>9.0f}   {after / before - 1:+.1%}")
            sys.stdout.flush()


def create_workspace() -> dict[str, str]:
    """Create a workspace with credits and a chatbot; return the ids that a turn's row needs."""
    from bench.tenants import create_tenant

    tenant = create_tenant()
    return {"workspace_id": tenant.workspace.id, "chatbot_id": tenant.create_chatbot().id}


def settle(database: psycopg.Connection, ids: dict[str, str], turns: int) -> float:
    """Open turns and settle them in one statement; return the seconds that settling took."""
    from apps.turns.sql import OPEN, SETTLE

    rows = list(opened_turns(ids, turns))
    database.execute(OPEN, [json.dumps(rows)], prepare=True)
    input_rows = json.dumps([settled_turn(row) for row in rows])
    started = time.perf_counter()
    results = database.execute(SETTLE, [input_rows], prepare=True).fetchall()
    seconds = time.perf_counter() - started
    if [charged for _, charged, *_ in results] != [1] * turns:
        raise RuntimeError(f"Unexpected result: {results}.")
    return seconds


def opened_turns(ids: dict[str, str], turns: int) -> Iterator[dict[str, object]]:
    """Yield the input rows of turns that each start a conversation."""
    from apps.core.ids import new_id

    for n in range(turns):
        yield {
            "n": n,
            **ids,
            "conversation_id": new_id(),
            "begins": True,
            "source": "api",
            "id": new_id(),
            "message_id": new_id(),
            "user_message_id": new_id(),
            "text": "Hello, how can you help me?",
            "model_name": "a model",
            "credits_per_reply": 1,
            "credits_per_1k_input": 0,
            "credits_per_1k_output": 0,
            "credits_held": 1,
            "request_digest": "0" * 64,
            "request_id": "req_1",
            "process": "",
            "queue_ms": 0,
            "max_running": 1_000_000,
        }


def settled_turn(row: dict[str, object]) -> dict[str, object]:
    """Return the input row that settles the turn, with an answer of 100 words."""
    from apps.core.ids import new_id

    return {
        **{name: row[name] for name in ("n", "workspace_id", "conversation_id", "id")},
        "message_id": row["message_id"],
        "entry_id": new_id(),
        "status": "completed",
        "price": 1,
        "text": "word " * 100,
        "delta_lengths": [5] * 100,
        "finish_reason": "stop",
        "error_code": "",
        "input_tokens": 40,
        "output_tokens": 100,
    }


if __name__ == "__main__":
    main()
