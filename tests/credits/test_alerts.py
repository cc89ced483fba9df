"""The balance fell below the threshold, or to nothing: told once, armed again when it rises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.ids import new_id
from apps.credits import alerts
from apps.credits.alerts import set_low_balance_threshold
from apps.credits.models import Account, Alert
from apps.credits.services import adjust, charge, hold
from apps.webhooks.models import Event
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.factories import Team, give, make_endpoint, make_user

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def watched(team: Team) -> str:
    """Alice's workspace has 100 credits, a threshold of 50, and an endpoint for everything."""
    give(team.workspace, 100)
    make_endpoint(team.workspace)
    set_low_balance_threshold(workspace_id=team.workspace.id, threshold=50, actor=SYSTEM)
    alerts.check_balances()
    return str(team.workspace.id)


def spend(workspace_id: str, credits: int) -> None:
    hold(workspace_id=workspace_id, credits=credits)
    charge(workspace_id=workspace_id, held=credits, credits=credits, turn_id=new_id())


def told(workspace_id: str) -> list[tuple[str, Any]]:
    found = Event.objects.filter(workspace_id=workspace_id, type__startswith="credits.")
    return [(event.type, event.data["balance"]) for event in found.order_by("created_at", "id")]


def test_fall_below_the_threshold_is_told_once(watched: str) -> None:
    spend(watched, 50)
    assert (alerts.check_balances(), told(watched)) == (0, [])
    spend(watched, 1)
    assert (alerts.check_balances(), alerts.check_balances()) == (1, 0)
    spend(watched, 1)
    assert (alerts.check_balances(), told(watched)) == (0, [("credits.low", 49)])


def test_it_is_told_again_once_the_balance_has_risen(watched: str) -> None:
    spend(watched, 60)
    alerts.check_balances()
    adjust(workspace_id=watched, credits=9, reason="still below")
    alerts.check_balances()
    adjust(workspace_id=watched, credits=1, reason="at the threshold")
    alerts.check_balances()
    spend(watched, 2)
    alerts.check_balances()
    assert told(watched) == [("credits.low", 40), ("credits.low", 48)]


def test_last_credit_is_told_of_once_without_a_threshold_too(team: Team) -> None:
    workspace = team.workspace.id
    make_endpoint(team.workspace)
    alerts.check_balances()
    give(team.workspace, 5)
    alerts.check_balances()
    spend(workspace, 5)
    assert (alerts.check_balances(), alerts.check_balances(), told(workspace)) == (
        1,
        0,
        [("credits.exhausted", 0)],
    )
    give(team.workspace, 1)
    alerts.check_balances()
    spend(workspace, 1)
    assert (alerts.check_balances(), len(told(workspace))) == (1, 2)


def test_account_that_never_had_credits_is_not_told_that_they_are_gone(team: Team) -> None:
    Account.objects.create(workspace=team.workspace)
    assert (alerts.check_balances(), alerts.check_balances()) == (0, 0)


def test_fall_through_both_is_told_as_both(watched: str) -> None:
    spend(watched, 100)
    assert alerts.check_balances() == 2
    assert sorted(told(watched)) == [("credits.exhausted", 0), ("credits.low", 0)]


def test_threshold_above_the_balance_is_no_fall(team: Team) -> None:
    give(team.workspace, 10)
    set_low_balance_threshold(workspace_id=team.workspace.id, threshold=50, actor=SYSTEM)
    assert alerts.check_balances() == 0
    give(team.workspace, 40)
    alerts.check_balances()
    spend(team.workspace.id, 1)
    assert alerts.check_balances() == 1


def test_no_threshold_tells_of_nothing_but_the_end(watched: str) -> None:
    set_low_balance_threshold(workspace_id=watched, threshold=None, actor=SYSTEM)
    spend(watched, 99)
    assert alerts.check_balances() == 0
    details = AuditEntry.objects.filter(workspace_id=watched, action="credits.threshold_set")
    assert [entry.details for entry in details.order_by("created_at", "id")] == [
        {"threshold": [None, 50]},
        {"threshold": [50, None]},
    ]


@pytest.mark.parametrize("threshold", [0, -1, 10**12 + 1])
def test_threshold_that_cannot_be_crossed_is_refused(team: Team, threshold: int) -> None:
    with pytest.raises(ValueError, match="A threshold is 1 to"):
        set_low_balance_threshold(workspace_id=team.workspace.id, threshold=threshold, actor=SYSTEM)


def test_owners_and_admins_are_mailed_once(watched: str, team: Team) -> None:
    admin = make_user("zadmin")
    add_member(workspace=team.workspace, user=admin, role=Role.ADMIN)
    spend(watched, 60)
    alerts.check_balances()
    assert (alerts.send_alert_emails(now=NOW), alerts.send_alert_emails(now=NOW)) == (1, 0)
    assert [message.to for message in mail.outbox] == [[team.alice.email], [admin.email]]
    (alert,) = Alert.objects.filter(workspace_id=watched)
    assert (alert.kind, alert.balance, alert.threshold, alert.mailed_at) == ("low", 40, 50, NOW)
    first = mail.outbox[0]
    assert first.subject == f"{team.workspace.name} is low on credits"
    assert "fell below 50 credits: it was 40 on" in first.body
    assert f"/w/{team.workspace.slug}/credits" in first.body


def test_look_does_not_wait_for_a_turn_that_has_the_account_locked(live_team: Team) -> None:
    """Nor does it arm it: the next look does."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    give(live_team.workspace, 5)
    workspace_id = live_team.workspace.id

    def look() -> int:
        try:
            return alerts.check_balances()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM credits_account WHERE workspace_id = %s FOR UPDATE", [workspace_id]
            )
            pool.submit(look).result(timeout=30)
        assert Account.objects.get(pk=workspace_id).exhausted_alert_armed is False
        pool.submit(look).result(timeout=30)
    assert Account.objects.get(pk=workspace_id).exhausted_alert_armed is True
