"""Many threads on one account, each with a connection of its own, on committed rows."""

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
from tests.factories import Team, give

THREADS = 12


def at_once(work: Callable[[int], str]) -> Counter[str]:
    """Run the work in many threads that begin together; counts what they returned."""
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


def test_holds_at_once_never_exceed_the_balance(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    give(live_team.workspace, 5)

    def take(_: int) -> str:
        hold(workspace_id=workspace_id, credits=1)
        return "held"

    assert at_once(take) == {"held": 5, "refused": THREADS - 5}
    assert balance_for(workspace_id) == Balance(5, 5)


def test_one_hold_is_charged_once_by_many(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    give(live_team.workspace, 10)
    hold(workspace_id=workspace_id, credits=10)

    def settle(_: int) -> str:
        charge(workspace_id=workspace_id, held=10, credits=7, turn_id=new_id())
        return "charged"

    assert at_once(settle) == {"charged": 1, "refused": THREADS - 1}
    assert balance_for(workspace_id) == Balance(3, 0)
    assert ledger_sum(workspace_id) == 3


def test_first_grants_at_once_open_one_account(live_team: Team) -> None:
    workspace_id = live_team.workspace.id

    def first(_: int) -> str:
        grant(workspace_id=workspace_id, credits=1, reason="x")
        return "granted"

    assert at_once(first) == {"granted": THREADS}
    assert balance_for(workspace_id) == Balance(THREADS, 0)


def test_moves_of_every_kind_at_once_add_up(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    give(live_team.workspace, 20)

    def live(number: int) -> str:
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
        return "lived"

    assert at_once(live) == {"lived": THREADS}
    found = balance_for(workspace_id)
    assert found == Balance(ledger_sum(workspace_id), 0)
    before = 0
    for entry in LedgerEntry.objects.filter(workspace_id=workspace_id).order_by("created_at"):
        assert entry.balance_after == before + entry.amount
        before = entry.balance_after
    assert before == found.balance


def test_neighbours_do_not_touch_each_other(live_team: Team) -> None:
    ids = [live_team.workspace.id, live_team.outside.id]
    for workspace_id in ids:
        grant(workspace_id=workspace_id, credits=THREADS, reason="x")

    def take(number: int) -> str:
        adjust(workspace_id=ids[number % 2], credits=-1, reason="x")
        return "taken"

    assert at_once(take) == {"taken": THREADS}
    assert [balance_for(i).balance for i in ids] == [THREADS // 2, THREADS // 2]
