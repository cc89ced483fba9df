"""`make bench ARGS=growth`: what a turn costs among 10,000,000 messages, and in an empty database.

Two databases on one server, with a web process on each, are measured alternately. `seed_load` fills
the large one, which takes a quarter of an hour and 15 GB. CPU includes the web process and
PostgreSQL.

--conversations 1000000   each with 5 turns, so 10 messages
--workspaces 10000        each with 10 chatbots
--rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import psutil
import psycopg
import uvloop

from bench.load import Target, run_json_load
from bench.measurements import CLIENTS, Figures
from bench.processes import ROOT, cpu_seconds, run_web_server
from bench.servers import MESSAGE
from local.servers.web import manage_command

MAX_RATIO = 1.2
"""Maximum CPU of a turn in the full database, as a multiple of the empty one."""

EMPTY, FULL = "empty", "full"
FIGURES = {
    "new_ms": "turns that begin a conversation: CPU ms a turn",
    "same_ms": "turns that continue one: CPU ms a turn",
    "new_rate": "turns that begin a conversation: turns/s",
    "same_rate": "turns that continue one: turns/s",
}


@dataclass(frozen=True)
class Deployment:
    """A web process on one of the databases, and the requests of the two kinds of turn."""

    web_pid: int
    postgres_pid: int
    new_conversation: Target
    same_conversation: Target


def main(arguments: Sequence[str]) -> int:
    """Fill both databases, measure and print; return 1 if the full one costs too much."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=growth")
    parser.add_argument("--workspaces", type=int, default=10_000)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    few = ["--workspaces", "1", "--conversations", str(CLIENTS)]
    many = ["--workspaces", str(options.workspaces), "--chatbots", "10"]
    many += ["--conversations", str(options.conversations), "--turns", "5"]
    with (
        tempfile.TemporaryDirectory() as directory,
        _deploy(EMPTY, few, Path(directory)) as empty,
        _deploy(FULL, many, Path(directory)) as full,
    ):
        rounds: dict[str, list[Figures]] = {EMPTY: [], FULL: []}
        for _ in range(options.rounds):
            rounds[EMPTY].append(_measure(empty))
            rounds[FULL].append(_measure(full))
    return _print_figures(rounds)


def _measure(deployment: Deployment) -> Figures:
    figures: Figures = {}
    targets = {"new": deployment.new_conversation, "same": deployment.same_conversation}
    for name, target in targets.items():
        cpu = _cpu_seconds(deployment)
        clients = CLIENTS if name == "new" else 1  # one turn at a time in a conversation
        timings = uvloop.run(run_json_load(target, seconds=5, clients=clients))
        count = len(timings.milliseconds)
        cpu = _cpu_seconds(deployment) - cpu
        figures |= {f"{name}_ms": cpu * 1000 / count, f"{name}_rate": count / timings.seconds}
    return figures


def _cpu_seconds(deployment: Deployment) -> float:
    return cpu_seconds(deployment.web_pid) + cpu_seconds(deployment.postgres_pid)


def _print_figures(rounds: dict[str, list[Figures]]) -> int:
    print(f"{'medians':<50}{EMPTY:>10}{FULL:>10}{'ratio':>8}")
    missed = 0
    for name, title in FIGURES.items():
        values = [statistics.median(one[name] for one in rounds[kind]) for kind in (EMPTY, FULL)]
        ratio = statistics.median(
            full[name] / empty[name]
            for empty, full in zip(rounds[EMPTY], rounds[FULL], strict=True)
        )
        missed += name.endswith("_ms") and ratio > MAX_RATIO
        print(f"{title:<50}{values[0]:>10.2f}{values[1]:>10.2f}{ratio:>8.2f}")
    print(f"CPU a turn: at most {MAX_RATIO}" + (" MISSED" if missed else ", met"))
    return 1 if missed else 0


@contextmanager
def _deploy(name: str, seed: Sequence[str], directory: Path) -> Iterator[Deployment]:
    """Create and seed a database, and run a web process on it."""
    given = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(given.geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE growth_{name}")
        postgres = connection.execute("SELECT pg_read_file('postmaster.pid', 0, 10)").fetchone()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DATABASE_URL": given._replace(path=f"/growth_{name}").geturl(),
    }
    _run_manage_command(environment, "migrate", "--verbosity", "0")
    seeded = json.loads(_run_manage_command(environment, "seed_load", *seed, "--json"))
    # Otherwise autovacuum and the checkpoint would run during the measurement.
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    size = _fetch_value(environment["DATABASE_URL"], "SELECT pg_database_size(current_database())")
    gigabytes = f"{int(size) / 1e9:.2f} GB"
    print(
        f"{name}: {seeded['messages']:,} messages in {seeded['seconds']} s, {gigabytes}", flush=True
    )
    with run_web_server(
        directory,
        settings_module=environment["DJANGO_SETTINGS_MODULE"],
        database_url=environment["DATABASE_URL"],
    ) as web:
        url = f"{web.url}/api/v1/chatbots/{seeded['chatbot_id']}/chat"
        headers = {"Authorization": f"Bearer {seeded['api_key']}"}
        new = Target(url, {"message": MESSAGE, "stream": False}, headers)
        continued = {
            "conversationId": _fetch_conversation_id(
                environment["DATABASE_URL"], seeded["chatbot_id"]
            )
        }
        same = Target(url, {**new.body, **continued}, headers)
        assert postgres is not None
        pid = int(postgres[0].split()[0])
        assert psutil.pid_exists(pid)
        yield Deployment(web.pid, pid, new, same)


def _run_manage_command(environment: dict[str, str], *arguments: str) -> str:
    result = subprocess.run(
        manage_command(*arguments),
        cwd=ROOT,
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
    )
    return result.stdout


def _fetch_conversation_id(database: str, chatbot_id: str) -> str:
    return _fetch_value(
        database,
        "SELECT id FROM conversations_conversation WHERE chatbot_id = %s LIMIT 1",
        chatbot_id,
    )


def _fetch_value(database: str, statement: LiteralString, *parameters: str) -> str:
    """Return the single value of a statement, as text."""
    with psycopg.connect(database) as connection:
        row = connection.execute(statement, parameters).fetchone()
    assert row is not None
    return str(row[0])
