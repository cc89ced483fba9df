"""Concurrent operations on one account, each thread with its own connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connections

from apps.core.ids import new_id
from apps.credits.errors import InsufficientCredits
from apps.credits.models import LedgerEntry
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.credits.services import adjust, charge, grant, hold, release
from tests.factories import Team, grant_credits

THREADS = 12


def run_concurrently(work: Callable[[int], str]) -> Counter[str]:
    """Run the work in many threads at the same time; count what they return."""
    barrier = Barrier(THREADS)

    def run(number: int) -> str:
        barrier.wait(timeout=30)
        try:
            return work(number)
        except InsufficientCredits:
            return "refused"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(run, range(THREADS)))


def test_concurrent_holds_do_not_exceed_the_balance(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    grant_credits(live_team.workspace, 5)

    def hold_one(_: int) -> str:
        hold(workspace_id=workspace_id, credits=1)
        return "held"

    assert run_concurrently(hold_one) == {"held": 5, "refused": THREADS - 5}
    assert balance_for(workspace_id) == Balance(5, 5)


def test_concurrent_charges_use_a_hold_once(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    grant_credits(live_team.workspace, 10)
    hold(workspace_id=workspace_id, credits=10)

    def settle(_: int) -> str:
        charge(workspace_id=workspace_id, held=10, credits=7, turn_id=new_id())
        return "charged"

    assert run_concurrently(settle) == {"charged": 1, "refused": THREADS - 1}
    assert balance_for(workspace_id) == Balance(3, 0)
    assert ledger_sum(workspace_id) == 3


def test_concurrent_first_grants_open_one_account(live_team: Team) -> None:
    workspace_id = live_team.workspace.id

    def first(_: int) -> str:
        grant(workspace_id=workspace_id, credits=1, reason="x")
        return "granted"

    assert run_concurrently(first) == {"granted": THREADS}
    assert balance_for(workspace_id) == Balance(THREADS, 0)


def test_concurrent_operations_match_the_ledger(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    grant_credits(live_team.workspace, 20)

    def run_operations(number: int) -> str:
        for step in range(10):
            try:
                hold(workspace_id=workspace_id, credits=3)
            except InsufficientCredits:
                grant(workspace_id=workspace_id, credits=2, reason="x")
                continue
            if (number + step) % 3:
                charge(workspace_id=workspace_id, held=3, credits=step % 4, turn_id=new_id())
            else:
                release(workspace_id=workspace_id, credits=3)
        return "done"

    assert run_concurrently(run_operations) == {"done": THREADS}
    balance = balance_for(workspace_id)
    assert balance == Balance(ledger_sum(workspace_id), 0)
    before = 0
    for entry in LedgerEntry.objects.filter(workspace_id=workspace_id).order_by("created_at"):
        assert entry.balance_after == before + entry.amount
        before = entry.balance_after
    assert before == balance.balance


def test_concurrent_workspaces_do_not_interfere(live_team: Team) -> None:
    ids = [live_team.workspace.id, live_team.other_workspace.id]
    for workspace_id in ids:
        grant(workspace_id=workspace_id, credits=THREADS, reason="x")

    def deduct(number: int) -> str:
        adjust(workspace_id=ids[number % 2], credits=-1, reason="x")
        return "deducted"

    assert run_concurrently(deduct) == {"deducted": THREADS}
    assert [balance_for(i).balance for i in ids] == [THREADS // 2, THREADS // 2]
