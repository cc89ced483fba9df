"""`make bench ARGS=growth`: what a turn costs among 10,000,000 messages, and in an empty database.

Two databases on one server, a web process on each, measured in turns; the full one is filled by
`seed_load`, which takes a quarter of an hour and 15 GB. CPU is that of the web process and of
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
from bench.processes import ROOT, cpu_seconds, run_process, wait_until_listening
from bench.servers import MESSAGE
from local.web import manage_command, web_command
from tests.web_processes import free_port

MAX_RATIO = 1.2
"""What a turn may cost in the full database, as a multiple of the empty one."""

EMPTY, FULL = "empty", "full"
FIGURES = {
    "begin_ms": "turns that begin a conversation: CPU ms a turn",
    "go_on_ms": "turns that go on with one: CPU ms a turn",
    "begin_rate": "turns that begin a conversation: turns/s",
    "go_on_rate": "turns that go on with one: turns/s",
}


@dataclass(frozen=True)
class Deployment:
    """A web process on one of the databases, PostgreSQL, and the two kinds of turn."""

    web_pid: int
    postgres_pid: int
    new_conversation: Target
    same_conversation: Target


def main(arguments: Sequence[str]) -> int:
    """Fill, measure, print; 1 where the full database costs more than it may."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=growth")
    parser.add_argument("--workspaces", type=int, default=10_000)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    few = ["--workspaces", "1", "--conversations", str(CLIENTS)]
    many = ["--workspaces", str(options.workspaces), "--chatbots", "10"]
    many += ["--conversations", str(options.conversations), "--turns", "5"]
    with (
        tempfile.TemporaryDirectory() as folder,
        _deploy(EMPTY, few, Path(folder)) as empty,
        _deploy(FULL, many, Path(folder)) as full,
    ):
        found: dict[str, list[Figures]] = {EMPTY: [], FULL: []}
        for _ in range(options.rounds):
            found[EMPTY].append(_measure(empty))
            found[FULL].append(_measure(full))
    return _print_figures(found)


def _measure(place: Deployment) -> Figures:
    figures: Figures = {}
    for name, target in (("begin", place.new_conversation), ("go_on", place.same_conversation)):
        cpu = cpu_seconds(place.web_pid) + cpu_seconds(place.postgres_pid)
        clients = CLIENTS if name == "begin" else 1  # one turn at a time in a conversation
        answered = uvloop.run(run_json_load(target, seconds=5, clients=clients))
        count = len(answered.milliseconds)
        cpu = cpu_seconds(place.web_pid) + cpu_seconds(place.postgres_pid) - cpu
        figures |= {f"{name}_ms": cpu * 1000 / count, f"{name}_rate": count / answered.seconds}
    return figures


def _print_figures(found: dict[str, list[Figures]]) -> int:
    print(f"{'medians':<50}{EMPTY:>10}{FULL:>10}{'ratio':>8}")
    missed = 0
    for name, title in FIGURES.items():
        values = [statistics.median(one[name] for one in found[kind]) for kind in (EMPTY, FULL)]
        ratio = statistics.median(
            full[name] / empty[name] for empty, full in zip(found[EMPTY], found[FULL], strict=True)
        )
        missed += name.endswith("_ms") and ratio > MAX_RATIO
        print(f"{title:<50}{values[0]:>10.2f}{values[1]:>10.2f}{ratio:>8.2f}")
    print(f"CPU a turn: at most {MAX_RATIO}" + (" MISSED" if missed else ", met"))
    return 1 if missed else 0


@contextmanager
def _deploy(name: str, seed: Sequence[str], folder: Path) -> Iterator[Deployment]:
    """A database of its own with this past, and a web process on it."""
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
    told = json.loads(_run_manage_command(environment, "seed_load", *seed, "--json"))
    # Or the server would still be at it while the turns are measured.
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    size = _fetch_value(environment["DATABASE_URL"], "SELECT pg_database_size(current_database())")
    print(
        f"{name}: {told['messages']:,} messages in {told['seconds']} s, {int(size) / 1e9:.2f} GB",
        flush=True,
    )
    port, log = free_port(), folder / f"{name}.log"
    with run_process(web_command(port=port, workers=1), log, environment) as started:
        wait_until_listening(started, port, log)
        url = f"http://127.0.0.1:{port}/api/v1/chatbots/{told['chatbot_id']}/chat"
        headers = {"Authorization": f"Bearer {told['api_key']}"}
        begin = Target(url, {"message": MESSAGE, "stream": False}, headers)
        went_on = {
            "conversationId": _fetch_conversation_id(
                environment["DATABASE_URL"], told["chatbot_id"]
            )
        }
        go_on = Target(url, {**begin.body, **went_on}, headers)
        assert postgres is not None
        pid = int(postgres[0].split()[0])
        assert psutil.pid_exists(pid)
        yield Deployment(started.pid, pid, begin, go_on)


def _run_manage_command(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        manage_command(*arguments),
        cwd=ROOT,
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
    )
    return done.stdout


def _fetch_conversation_id(database: str, chatbot_id: str) -> str:
    return _fetch_value(
        database,
        "SELECT id FROM conversations_conversation WHERE chatbot_id = %s LIMIT 1",
        chatbot_id,
    )


def _fetch_value(database: str, statement: LiteralString, *parameters: str) -> str:
    """The one value that a statement finds, as text."""
    with psycopg.connect(database) as connection:
        row = connection.execute(statement, parameters).fetchone()
    assert row is not None
    return str(row[0])
