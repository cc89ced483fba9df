"""Low balance alerts: sent once, re-armed when the balance rises."""

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
from apps.workspaces.letters import send_letters
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.factories import Team, grant_credits, make_user, make_webhook_endpoint

pytestmark = pytest.mark.usefixtures("no_other_letters")

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def workspace_id(team: Team) -> str:
    """Alice's workspace has 100 credits, a threshold of 50, and an endpoint for everything."""
    grant_credits(team.workspace, 100)
    make_webhook_endpoint(team.workspace)
    set_low_balance_threshold(workspace_id=team.workspace.id, threshold=50, actor=SYSTEM)
    alerts.check_balances()
    return str(team.workspace.id)


def spend(workspace_id: str, credits: int) -> None:
    hold(workspace_id=workspace_id, credits=credits)
    charge(workspace_id=workspace_id, held=credits, credits=credits, turn_id=new_id())


def sent_events(workspace_id: str) -> list[tuple[str, Any]]:
    events = Event.objects.filter(workspace_id=workspace_id, type__startswith="credits.")
    return [(event.type, event.data["balance"]) for event in events.order_by("created_at", "id")]


def test_low_balance_alerts_once(workspace_id: str) -> None:
    spend(workspace_id, 50)
    assert (alerts.check_balances(), sent_events(workspace_id)) == (0, [])
    spend(workspace_id, 1)
    assert (alerts.check_balances(), alerts.check_balances()) == (1, 0)
    spend(workspace_id, 1)
    assert (alerts.check_balances(), sent_events(workspace_id)) == (
        0,
        [("credits.low", 49)],
    )


def test_low_balance_alert_rearms_at_the_threshold(workspace_id: str) -> None:
    spend(workspace_id, 60)
    alerts.check_balances()
    adjust(workspace_id=workspace_id, credits=9, reason="still below")
    alerts.check_balances()
    adjust(workspace_id=workspace_id, credits=1, reason="at the threshold")
    alerts.check_balances()
    spend(workspace_id, 2)
    alerts.check_balances()
    assert sent_events(workspace_id) == [("credits.low", 40), ("credits.low", 48)]


def test_exhausted_balance_alerts_without_a_threshold(team: Team) -> None:
    workspace = team.workspace.id
    make_webhook_endpoint(team.workspace)
    alerts.check_balances()
    grant_credits(team.workspace, 5)
    alerts.check_balances()
    spend(workspace, 5)
    assert (alerts.check_balances(), alerts.check_balances(), sent_events(workspace)) == (
        1,
        0,
        [("credits.exhausted", 0)],
    )
    grant_credits(team.workspace, 1)
    alerts.check_balances()
    spend(workspace, 1)
    assert (alerts.check_balances(), len(sent_events(workspace))) == (1, 2)


def test_new_account_without_credits_causes_no_alert(team: Team) -> None:
    Account.objects.create(workspace=team.workspace)
    assert (alerts.check_balances(), alerts.check_balances()) == (0, 0)


def test_low_and_exhausted_alert_together(workspace_id: str) -> None:
    spend(workspace_id, 100)
    assert alerts.check_balances() == 2
    assert sorted(sent_events(workspace_id)) == [
        ("credits.exhausted", 0),
        ("credits.low", 0),
    ]


def test_new_threshold_above_the_balance_causes_no_alert(team: Team) -> None:
    grant_credits(team.workspace, 10)
    set_low_balance_threshold(workspace_id=team.workspace.id, threshold=50, actor=SYSTEM)
    assert alerts.check_balances() == 0
    grant_credits(team.workspace, 40)
    alerts.check_balances()
    spend(team.workspace.id, 1)
    assert alerts.check_balances() == 1


def test_removed_threshold_causes_no_low_alert(workspace_id: str) -> None:
    set_low_balance_threshold(workspace_id=workspace_id, threshold=None, actor=SYSTEM)
    spend(workspace_id, 99)
    assert alerts.check_balances() == 0
    details = AuditEntry.objects.filter(workspace_id=workspace_id, action="credits.threshold_set")
    assert [entry.details for entry in details.order_by("created_at", "id")] == [
        {"threshold": [None, 50]},
        {"threshold": [50, None]},
    ]


@pytest.mark.parametrize("threshold", [0, -1, 10**12 + 1])
def test_invalid_threshold_is_rejected(team: Team, threshold: int) -> None:
    with pytest.raises(ValueError, match="A threshold is 1 to"):
        set_low_balance_threshold(workspace_id=team.workspace.id, threshold=threshold, actor=SYSTEM)


def test_owners_and_admins_are_emailed_once(workspace_id: str, team: Team) -> None:
    admin = make_user("zadmin")
    add_member(workspace=team.workspace, user=admin, role=Role.ADMIN)
    spend(workspace_id, 60)
    alerts.check_balances()
    assert (alerts.send_alert_emails(now=NOW), alerts.send_alert_emails(now=NOW)) == (1, 0)
    assert (send_letters(seconds=5), send_letters(seconds=5)) == (2, 0)
    assert sorted(message.to for message in mail.outbox) == [[team.alice.email], [admin.email]]
    (alert,) = Alert.objects.filter(workspace_id=workspace_id)
    assert (alert.kind, alert.balance, alert.threshold, alert.mailed_at) == ("low", 40, 50, NOW)
    first = mail.outbox[0]
    assert first.subject == f"{team.workspace.name} is low on credits"
    assert "dropped below 50 credits. It was 40 on" in first.body
    assert f"/w/{team.workspace.slug}/credits" in first.body


def test_check_skips_locked_accounts(live_team: Team) -> None:
    """The next check arms it."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    grant_credits(live_team.workspace, 5)
    workspace_id = live_team.workspace.id

    def check() -> int:
        try:
            return alerts.check_balances()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM credits_account WHERE workspace_id = %s FOR UPDATE", [workspace_id]
            )
            pool.submit(check).result(timeout=30)
        assert Account.objects.get(pk=workspace_id).exhausted_alert_armed is False
        pool.submit(check).result(timeout=30)
    assert Account.objects.get(pk=workspace_id).exhausted_alert_armed is True
