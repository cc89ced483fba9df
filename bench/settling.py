"""What the chain of the ledger costs the statement that settles turns.

    .venv/bin/python -m local run -- .venv/bin/python -m bench.settling

Makes two throwaway databases with the same turns and entries, takes the chain out of one (trigger
and index; the indexes that it replaced come back), and settles turns in both by turns, so that a
noisy machine is fair to them. Prints the median in microseconds for statements of 1, 4 and 16
turns. Nothing asserts a time.
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
WARMING = 200
ENTRIES = 100_000
UNCHAINED = """
DROP TRIGGER credits_ledger_is_a_chain ON credits_ledgerentry;
DROP INDEX credits_ledger_in_order;
DROP INDEX credits_ledger_made_by;
CREATE INDEX ON credits_ledgerentry (workspace_id);
CREATE INDEX ON credits_ledgerentry (created_by_id);
"""
PAST = """
INSERT INTO credits_ledgerentry (id, workspace_id, kind, amount, balance_after, reason, created_at)
SELECT 'e' || lpad(n::text, 24, '0'), %s, 'refund', 1, 10000000 + n, '', now() - interval '1 day'
FROM generate_series(1, %s) AS n
"""
SETTINGS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
    "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
)


def main() -> None:
    """Fill, copy, settle, print."""
    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    call_command("migrate", verbosity=0)
    world = new_world()
    with connection.cursor() as cursor:
        cursor.execute(PAST, [world["workspace_id"], ENTRIES])
        cursor.execute("VACUUM ANALYZE")
    name = connection.settings_dict["NAME"]
    connections.close_all()
    pool: Any = connection
    pool.close_pool()
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE unchained TEMPLATE "{name}"')
    other = url.rsplit("/", 1)[0] + "/unchained"
    with (
        psycopg.connect(other, autocommit=True, options=SETTINGS) as without,
        psycopg.connect(url, autocommit=True, options=SETTINGS) as chained,
    ):
        without.execute(UNCHAINED)
        print("turns  without   chained   (medians in µs, and the difference)")
        for database in (without, chained):
            for _ in range(WARMING):
                settle(database, world, 16)
            database.execute("VACUUM ANALYZE")
        for turns in (1, 4, 16):
            times: dict[str, list[float]] = {"without": [], "chained": []}
            for _ in range(ROUNDS):
                times["without"].append(settle(without, world, turns))
                times["chained"].append(settle(chained, world, turns))
            before, after = (statistics.median(each) * 1e6 for each in times.values())
            print(f"{turns:>5} {before:>8.0f} {after:>9.0f}   {after / before - 1:+.1%}")
            sys.stdout.flush()


def new_world() -> dict[str, str]:
    """A workspace with credits and a chatbot: what a turn's row names."""
    from apps.chatbots.services import create_chatbot
    from apps.credits.services import grant
    from tests.factories import make_model, make_workspace

    workspace = make_workspace()
    grant(workspace_id=workspace.id, credits=10_000_000, reason="benchmark")
    chatbot = create_chatbot(workspace=workspace, name="bench", language_model=make_model())
    return {"workspace_id": workspace.id, "chatbot_id": chatbot.id}


def settle(database: psycopg.Connection, world: dict[str, str], turns: int) -> float:
    """Open so many turns, settle them in one statement; the seconds that settling took."""
    from apps.turns.sql import OPEN, SETTLE

    rows = list(opening(world, turns))
    database.execute(OPEN, [json.dumps(rows)], prepare=True)
    asked = json.dumps([settlement(row) for row in rows])
    began = time.perf_counter()
    answers = database.execute(SETTLE, [asked], prepare=True).fetchall()
    took = time.perf_counter() - began
    if [charged for _, charged, *_ in answers] != [1] * turns:
        raise RuntimeError(f"Settling answered {answers}.")
    return took


def opening(world: dict[str, str], turns: int) -> Iterator[dict[str, object]]:
    """The rows of turns that begin a conversation each."""
    from apps.core.ids import new_id

    for n in range(turns):
        yield {
            "n": n,
            **world,
            "conversation_id": new_id(),
            "begins": True,
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
        }


def settlement(row: dict[str, object]) -> dict[str, object]:
    """How such a turn ends: with an answer of 100 words."""
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
