"""PostgreSQL and Valkey in a lasting folder: started, stopped, killed, started again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psycopg
import pytest

from local import server_user as accounts
from tests.local.conftest import (
    SECONDS,
    Spawn,
    assert_gone,
    first_report,
    needs_root,
    processes_in,
)

STAND_IN = "tests.local.fake_server"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_process(ground: Path, spawn: Spawn, signum: signal.Signals) -> None:
    process = spawn(STAND_IN, str(ground / "state"))
    pids = first_report(process)["pids"]
    process.send_signal(signum)
    assert process.wait(timeout=SECONDS) == 128 + signum
    assert_gone(pids)
    assert processes_in(ground) == []


def test_data_outlives_a_kill_and_a_stop(ground: Path, spawn: Spawn) -> None:
    """A killed run's servers are ended by the next, which finds what was committed."""
    killed = spawn(STAND_IN, str(ground / "state"))
    before = first_report(killed)
    with psycopg.connect(before["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    killed.kill()
    killed.wait(timeout=SECONDS)
    assert [process.pid for process in processes_in(ground)] != []

    second = spawn(STAND_IN, str(ground / "state"))
    after = first_report(second)
    assert after["ended"] == ["postgres", "valkey"]
    assert_gone(before["pids"])
    with psycopg.connect(after["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    second.terminate()
    second.wait(timeout=SECONDS)


def test_a_server_without_a_record_is_ended_too(ground: Path, spawn: Spawn) -> None:
    """A kill between a start and its record leaves PostgreSQL's own note of its process."""
    killed = spawn(STAND_IN, str(ground / "state"))
    before = first_report(killed)
    killed.kill()
    killed.wait(timeout=SECONDS)
    (ground / "state" / "run" / "postgres.json").unlink()

    second = spawn(STAND_IN, str(ground / "state"))
    assert first_report(second)["ended"] == ["valkey"]
    assert_gone(before["pids"])
    second.terminate()
    second.wait(timeout=SECONDS)


def test_a_half_made_data_folder_is_made_anew(ground: Path, spawn: Spawn) -> None:
    half = ground / "state" / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    process = spawn(STAND_IN, str(ground / "state"))
    assert first_report(process)["DATABASE_URL"].startswith("postgres://parley:")
    assert not half.exists()
    process.terminate()
    process.wait(timeout=SECONDS)


def test_a_second_ctrl_c_kills_at_once(ground: Path, spawn: Spawn) -> None:
    process = spawn(STAND_IN, str(ground / "state"), "--stubborn")
    pids = first_report(process)["pids"]
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=SECONDS) == 130
    assert_gone(pids)


def test_secrets_are_for_their_owner_only(ground: Path, spawn: Spawn) -> None:
    process = spawn(STAND_IN, str(ground / "state"))
    first_report(process)
    process.terminate()
    process.wait(timeout=SECONDS)
    folder = ground / "state"
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in ("secrets.json", "postgres")}
    assert modes == {"secrets.json": 0o600, "postgres": 0o700}
    assert folder.stat().st_mode & 0o066 == 0


@needs_root
def test_data_goes_where_its_user_can_reach_it(ground: Path, spawn: Spawn) -> None:
    closed = ground / "closed"
    closed.mkdir(mode=0o700)
    elsewhere = ground / "open" / "data"
    for _ in range(2):
        process = spawn(STAND_IN, str(closed / "state"), "--elsewhere", str(elsewhere))
        url = first_report(process)["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 1")
        process.terminate()
        process.wait(timeout=SECONDS)
    assert (closed / "state" / "postgres").readlink() == elsewhere
    assert elsewhere.owner() == accounts.UNPRIVILEGED


@needs_root
def test_data_of_a_removed_project_is_not_taken_over(ground: Path, spawn: Spawn) -> None:
    closed, elsewhere = ground / "closed", ground / "open" / "data"
    closed.mkdir(mode=0o700)
    (elsewhere / "data").mkdir(parents=True)
    (elsewhere / "data" / "PG_VERSION").write_text("18\n")
    process = spawn(STAND_IN, str(closed / "state"), "--elsewhere", str(elsewhere))
    assert first_report(process)["pids"]
    process.terminate()
    process.wait(timeout=SECONDS)
