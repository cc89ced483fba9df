"""Concurrent submissions and approvals post once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.conf import settings
from django.db import connection

from apps.adjustments.errors import AdjustmentError
from apps.adjustments.lines import lines_for
from apps.adjustments.previews import preview_adjustment
from apps.adjustments.services import approve, submit
from apps.audit.services import staff_actor
from apps.core.ids import new_id
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from tests.adjustments.adjustment_factories import make_line, make_pending_adjustment, make_staff
from tests.factories import Team


def run_concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Run all calls at the same time on their own connections; return or catch each result."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return call()
        except AdjustmentError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_concurrent_approvals_post_once(live_team: Team) -> None:
    request = make_pending_adjustment(live_team.workspace, settings.APPROVAL_ABOVE + 1)
    fingerprint = preview_adjustment(
        lines=lines_for(request), user=request.requested_by
    ).fingerprint
    both = [make_staff("finance") for _ in range(2)]
    results = run_concurrently(
        *(
            lambda by=by: approve(
                adjustment_id=request.id, user=by, actor=staff_actor(by), fingerprint=fingerprint
            )
            for by in both
        )
    )
    assert sorted(isinstance(each, AdjustmentError) for each in results) == [False, True]
    entries = LedgerEntry.objects.filter(workspace=live_team.workspace)
    assert [entry.amount for entry in entries] == [settings.APPROVAL_ABOVE + 1]


def test_concurrent_confirmations_post_once(live_team: Team) -> None:
    finance, id = make_staff("finance"), new_id()
    wanted = make_line(live_team.workspace, 7)
    fingerprint = preview_adjustment(lines=[wanted], user=finance).fingerprint
    sent: dict[str, Any] = {
        "user": finance,
        "actor": staff_actor(finance),
        "fingerprint": fingerprint,
    }
    results = run_concurrently(*[lambda: submit(lines=[wanted], adjustment_id=id, **sent)] * 6)
    assert {each.id for each in results} == {id}
    workspace_id = live_team.workspace.id
    assert (balance_for(workspace_id).balance, ledger_sum(workspace_id)) == (7, 7)


def test_concurrent_uploads_of_a_file_post_once(live_team: Team) -> None:
    digest = new_id()
    wanted = [make_line(live_team.workspace, 7)]
    calls = []
    for by in (make_staff("finance"), make_staff("finance")):
        fingerprint = preview_adjustment(lines=wanted, user=by).fingerprint
        sent: dict[str, Any] = {
            "user": by,
            "actor": staff_actor(by),
            "fingerprint": fingerprint,
            "file_digest": digest,
        }
        calls.append(lambda sent=sent: submit(lines=wanted, adjustment_id=new_id(), **sent))
    results = run_concurrently(*calls)
    assert sorted(isinstance(each, AdjustmentError) for each in results) == [False, True]
    assert balance_for(live_team.workspace.id).balance == 7


def test_concurrent_goodwill_stays_within_the_limit(live_team: Team) -> None:
    support = make_staff("support")
    wanted = make_line(live_team.workspace, settings.GOODWILL_LIMIT, category="goodwill")
    fingerprint = preview_adjustment(lines=[wanted], user=support).fingerprint
    sent: dict[str, Any] = {
        "user": support,
        "actor": staff_actor(support),
        "fingerprint": fingerprint,
    }
    results = run_concurrently(
        *[lambda: submit(lines=[wanted], adjustment_id=new_id(), **sent)] * 4
    )
    assert sorted(isinstance(each, AdjustmentError) for each in results) == [
        False,
        True,
        True,
        True,
    ]
    assert balance_for(live_team.workspace.id).balance == settings.GOODWILL_LIMIT
