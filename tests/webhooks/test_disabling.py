"""Endpoints that return 410 or fail for days are disabled, and their owners emailed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import F

from apps.audit.queries import entries_for
from apps.audit.services import SYSTEM
from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import DisabledReason, Endpoint
from apps.webhooks.owner_emails import email_owners
from apps.webhooks.services import EndpointChanges, disable_endpoint, update_endpoint
from apps.workspaces.letters import send_letters
from apps.workspaces.models import Letter, LetterKind, Role
from apps.workspaces.services import add_member
from tests.factories import Team, make_user, make_webhook_endpoint
from tests.fault_injection import reject_inserts
from tests.webhook_receiver import Receiver, Reply
from tests.webhooks.delivery_helpers import make_due, send_event

pytestmark = pytest.mark.usefixtures("no_other_deliveries", "no_other_letters")


def test_410_disables_endpoint(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(410)
    delivery = send_event(endpoint)
    endpoint.refresh_from_db()
    assert (delivery.status, endpoint.disabled_reason) == ("failed", "gone")
    entry = entries_for(endpoint.workspace_id)[0]
    assert (entry.action, entry.actor_kind, entry.details) == (
        "webhook_endpoint.disabled",
        "system",
        {"reason": "gone"},
    )


@pytest.mark.parametrize(("hours", "reason"), [(71, ""), (73, "failing")])
def test_endpoint_failing_for_days_is_disabled(
    endpoint: Endpoint, receiver: Receiver, hours: int, reason: str
) -> None:
    receiver.reply_to = lambda _: Reply(500)
    send_event(endpoint)
    failing = Endpoint.objects.filter(id=endpoint.id)
    failing.update(failing_since=F("failing_since") - timedelta(hours=hours))
    delivery = send_event(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_reason, delivery.status) == (reason, "pending")


def test_success_clears_failing_since(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(500)
    delivery = send_event(endpoint)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
    receiver.reply_to = lambda _: Reply()
    make_due(delivery)
    deliver_due(seconds=1)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


def test_owners_are_emailed_once(team: Team, receiver: Receiver) -> None:
    second = make_user("second-owner")
    add_member(workspace=team.workspace, user=second, role=Role.OWNER)
    add_member(workspace=team.workspace, user=make_user("gone", is_active=False), role=Role.OWNER)
    receiver.reply_to = lambda _: Reply(410)
    endpoint, secret = make_webhook_endpoint(team.workspace, url=f"{receiver.url}?token=hush")
    send_event(endpoint)
    assert [email_owners(), email_owners()] == [1, 0]
    assert send_letters(seconds=5) == 2
    assert sorted(message.to for message in mail.outbox) == sorted(
        [[team.alice.email], [second.email]]
    )
    text = str(mail.outbox[0].body)
    assert "The endpoint returned 410 Gone" in text
    assert [hidden for hidden in ("hush", secret, "{{", "{%") if hidden in text] == []


def test_failure_stops_no_other_emails_to_owners(live_team: Team) -> None:
    workspaces = [live_team.workspace, live_team.other_workspace]
    for workspace in workspaces:
        endpoint, _ = make_webhook_endpoint(workspace)
        disable_endpoint(endpoint=endpoint, reason=DisabledReason.GONE)
    letters = Letter.objects.filter(kind=LetterKind.ENDPOINT_DISABLED)
    with reject_inserts("workspaces_letter", workspaces[0]):
        email_owners()
    assert [letters.filter(workspace=each).count() > 0 for each in workspaces] == [False, True]
    email_owners()
    assert letters.filter(workspace=workspaces[0]).count() > 0


def test_owners_are_not_emailed_when_they_disabled_it(team: Team, endpoint: Endpoint) -> None:
    update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=False))
    assert (email_owners(), mail.outbox) == (0, [])


def test_disabled_endpoint_gets_no_requests(endpoint: Endpoint, receiver: Receiver) -> None:
    send_event(endpoint, times=0)
    update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=False))
    assert (deliver_due(seconds=1), receiver.connections) == (0, 0)
    update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=True))
    assert (deliver_due(seconds=1), len(receiver.received)) == (1, 1)
