"""Two hands at the same moment: what both want is done once."""

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
from tests.adjustments.adjustment_requests import asked, line, staff_of
from tests.factories import Team


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns or raises, all begun together on connections of their own."""
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


def test_approving_twice_at_once_posts_once(live_team: Team) -> None:
    request = asked(live_team.workspace, settings.APPROVAL_ABOVE + 1)
    fingerprint = preview_adjustment(
        lines=lines_for(request), user=request.requested_by
    ).fingerprint
    both = [staff_of("finance") for _ in range(2)]
    came = at_once(
        *(
            lambda by=by: approve(
                adjustment_id=request.id, user=by, actor=staff_actor(by), fingerprint=fingerprint
            )
            for by in both
        )
    )
    assert sorted(isinstance(each, AdjustmentError) for each in came) == [False, True]
    entries = LedgerEntry.objects.filter(workspace=live_team.workspace)
    assert [entry.amount for entry in entries] == [settings.APPROVAL_ABOVE + 1]


def test_one_confirmation_sent_many_times_at_once_posts_once(live_team: Team) -> None:
    finance, id = staff_of("finance"), new_id()
    wanted = line(live_team.workspace, 7)
    fingerprint = preview_adjustment(lines=[wanted], user=finance).fingerprint
    sent: dict[str, Any] = {
        "user": finance,
        "actor": staff_actor(finance),
        "fingerprint": fingerprint,
    }
    came = at_once(*[lambda: submit(lines=[wanted], adjustment_id=id, **sent)] * 6)
    assert {each.id for each in came} == {id}
    workspace_id = live_team.workspace.id
    assert (balance_for(workspace_id).balance, ledger_sum(workspace_id)) == (7, 7)


def test_one_file_sent_by_two_people_at_once_is_posted_once(live_team: Team) -> None:
    digest = new_id()
    wanted = [line(live_team.workspace, 7)]
    calls = []
    for by in (staff_of("finance"), staff_of("finance")):
        fingerprint = preview_adjustment(lines=wanted, user=by).fingerprint
        sent: dict[str, Any] = {
            "user": by,
            "actor": staff_actor(by),
            "fingerprint": fingerprint,
            "file_digest": digest,
        }
        calls.append(lambda sent=sent: submit(lines=wanted, adjustment_id=new_id(), **sent))
    came = at_once(*calls)
    assert sorted(isinstance(each, AdjustmentError) for each in came) == [False, True]
    assert balance_for(live_team.workspace.id).balance == 7


def test_goodwill_given_at_once_stays_within_the_limit(live_team: Team) -> None:
    support = staff_of("support")
    wanted = line(live_team.workspace, settings.GOODWILL_LIMIT, category="goodwill")
    fingerprint = preview_adjustment(lines=[wanted], user=support).fingerprint
    sent: dict[str, Any] = {
        "user": support,
        "actor": staff_actor(support),
        "fingerprint": fingerprint,
    }
    came = at_once(*[lambda: submit(lines=[wanted], adjustment_id=new_id(), **sent)] * 4)
    assert sorted(isinstance(each, AdjustmentError) for each in came) == [False, True, True, True]
    assert balance_for(live_team.workspace.id).balance == settings.GOODWILL_LIMIT
