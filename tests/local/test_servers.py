"""Tests of PostgreSQL and Valkey in a permanent directory: start, stop, kill, restart."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis, RedisError

from local.children.processes import wait_until
from local.children.server_user import UNPRIVILEGED
from tests.local.conftest import (
    SECONDS,
    Spawn,
    assert_gone,
    needs_root,
    processes_in,
    read_report,
)

FAKE_SERVER = "tests.local.fake_server"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_every_process(workdir: Path, spawn: Spawn, signum: signal.Signals) -> None:
    process = spawn(FAKE_SERVER, str(workdir / "state"))
    pids = read_report(process)["pids"]
    process.send_signal(signum)
    assert process.wait(timeout=SECONDS) == 128 + signum
    assert_gone(pids)
    assert processes_in(workdir) == []


def test_data_survives_a_killed_and_a_stopped_run(workdir: Path, spawn: Spawn) -> None:
    """The next run stops the servers of a killed run and finds the committed rows."""
    killed = spawn(FAKE_SERVER, str(workdir / "state"))
    before = read_report(killed)
    with psycopg.connect(before["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE saved AS SELECT 42 AS answer")
    killed.kill()
    killed.wait(timeout=SECONDS)
    assert [process.pid for process in processes_in(workdir)] != []

    second = spawn(FAKE_SERVER, str(workdir / "state"))
    after = read_report(second)
    assert after["ended"] == ["postgres", "valkey"]
    assert_gone(before["pids"])
    with psycopg.connect(after["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT answer FROM saved").fetchone() == (42,)
    second.terminate()
    second.wait(timeout=SECONDS)


def test_killed_servers_are_started_again(workdir: Path, spawn: Spawn) -> None:
    run = spawn(FAKE_SERVER, str(workdir / "state"))
    report = read_report(run)
    with psycopg.connect(report["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE saved AS SELECT 42 AS answer")
    for pid in report["pids"]:
        os.kill(pid, signal.SIGKILL)
    assert_gone(report["pids"])

    def is_back() -> bool:
        try:
            with psycopg.connect(report["DATABASE_URL"], connect_timeout=2) as connection:
                found = connection.execute("SELECT answer FROM saved").fetchone()
            with Redis.from_url(report["REDIS_URL"]) as client:
                return found == (42,) and bool(client.ping())
        except (psycopg.OperationalError, RedisError):
            return False

    assert wait_until(is_back, SECONDS)
    run.terminate()
    run.wait(timeout=SECONDS)


def test_next_run_stops_a_server_without_a_record(workdir: Path, spawn: Spawn) -> None:
    """A run killed before it wrote the record leaves only PostgreSQL's postmaster.pid."""
    killed = spawn(FAKE_SERVER, str(workdir / "state"))
    before = read_report(killed)
    killed.kill()
    killed.wait(timeout=SECONDS)
    (workdir / "state" / "run" / "postgres.json").unlink()

    second = spawn(FAKE_SERVER, str(workdir / "state"))
    assert read_report(second)["ended"] == ["valkey"]
    assert_gone(before["pids"])
    second.terminate()
    second.wait(timeout=SECONDS)


def test_partial_data_directory_is_created_again(workdir: Path, spawn: Spawn) -> None:
    partial = workdir / "state" / "postgres" / "data.new"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    process = spawn(FAKE_SERVER, str(workdir / "state"))
    assert read_report(process)["DATABASE_URL"].startswith("postgres://parley:")
    assert not partial.exists()
    process.terminate()
    process.wait(timeout=SECONDS)


def test_second_ctrl_c_kills_the_children(workdir: Path, spawn: Spawn) -> None:
    process = spawn(FAKE_SERVER, str(workdir / "state"), "--stubborn")
    pids = read_report(process)["pids"]
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=SECONDS) == 130
    assert_gone(pids)


def test_secrets_are_readable_by_their_owner_only(workdir: Path, spawn: Spawn) -> None:
    process = spawn(FAKE_SERVER, str(workdir / "state"))
    read_report(process)
    process.terminate()
    process.wait(timeout=SECONDS)
    directory = workdir / "state"
    modes = {
        name: (directory / name).stat().st_mode & 0o777 for name in ("secrets.json", "postgres")
    }
    assert modes == {"secrets.json": 0o600, "postgres": 0o700}
    assert directory.stat().st_mode & 0o066 == 0


@needs_root
def test_fallback_directory_is_used_for_an_inaccessible_project(
    workdir: Path, spawn: Spawn
) -> None:
    closed = workdir / "closed"
    closed.mkdir(mode=0o700)
    fallback = workdir / "open" / "data"
    for _ in range(2):
        process = spawn(FAKE_SERVER, str(closed / "state"), "--fallback", str(fallback))
        url = read_report(process)["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS saved AS SELECT 1")
        process.terminate()
        process.wait(timeout=SECONDS)
    assert (closed / "state" / "postgres").readlink() == fallback
    assert fallback.owner() == UNPRIVILEGED


@needs_root
def test_data_of_a_removed_project_is_not_reused(workdir: Path, spawn: Spawn) -> None:
    closed, fallback = workdir / "closed", workdir / "open" / "data"
    closed.mkdir(mode=0o700)
    (fallback / "data").mkdir(parents=True)
    (fallback / "data" / "PG_VERSION").write_text("18\n")
    process = spawn(FAKE_SERVER, str(closed / "state"), "--fallback", str(fallback))
    assert read_report(process)["pids"]
    process.terminate()
    process.wait(timeout=SECONDS)
