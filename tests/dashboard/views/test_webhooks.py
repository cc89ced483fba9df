"""Webhook endpoints, their secrets and deliveries."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import MAX_ENDPOINTS, send_test
from apps.webhooks.signing import decrypt_secret
from tests.dashboard.page_client import (
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import UNREACHABLE_URL, Team, make_webhook_endpoint
from tests.webhook_receiver import Receiver, Reply

FORM = {
    "url": UNREACHABLE_URL,
    "description": "Ours",
    "event_types": ["lead.created", "turn.failed"],
}


@pytest.fixture
def endpoint(team: Team) -> Endpoint:
    return make_webhook_endpoint(team.workspace, description="Ours")[0]


def test_created_endpoint_shows_its_secret_once(team: Team, alice: Client) -> None:
    assert "Add endpoint" in visible_text(
        alice.get(page_path(team.workspace, "webhooks")).content.decode()
    )
    answer = alice.post(page_path(team.workspace, "webhooks/create"), FORM)
    assert answer.status_code == 201
    endpoint = Endpoint.objects.get(workspace=team.workspace)
    secret = decrypt_secret(endpoint.sealed_secret)
    html = answer.content.decode()
    assert f'value="{secret}"' in html
    assert "no-store" in answer.headers["Cache-Control"]
    assert (endpoint.url, endpoint.description, endpoint.event_types) == tuple(FORM.values())
    assert AuditEntry.objects.get(target_id=endpoint.id).actor_label == team.alice.email
    for page in ("webhooks", f"webhooks/{endpoint.id}"):
        assert secret not in alice.get(page_path(team.workspace, page)).content.decode()
    html = alice.get(page_path(team.workspace, "webhooks")).content.decode()
    assert table_cells(html) == [["http://127.0.0.1:9", "Ours", "2", "Active", "just now"]]


def test_invalid_endpoint_gets_form_errors(team: Team, alice: Client) -> None:
    def refused(**fields: object) -> dict[str, list[str]]:
        answer = alice.post(page_path(team.workspace, "webhooks/create"), FORM | fields)
        assert answer.status_code == 422
        return dict(answer.context["form"].errors)

    assert list(refused(url="ftp://example.com")) == ["url"]
    assert refused(event_types=[]) == {"event_types": ["This field is required."]}
    assert list(refused(event_types=["webhook.test"])) == ["event_types"]
    for _ in range(MAX_ENDPOINTS):
        make_webhook_endpoint(team.workspace)
    assert refused() == {
        "__all__": ["A workspace has at most 20 webhook endpoints. Delete one first."]
    }


def test_endpoint_is_edited_disabled_enabled_and_deleted(
    team: Team, alice: Client, endpoint: Endpoint
) -> None:
    def act(verb: str, **fields: object) -> list[str]:
        address = page_path(team.workspace, f"webhooks/{endpoint.id}/{verb}")
        texts = shown_messages(alice.post(address, fields, follow=True))
        if verb != "delete":
            endpoint.refresh_from_db()
        return texts

    assert act("edit", **FORM | {"description": "New"}) == ["Changes saved."]
    assert (endpoint.description, endpoint.event_types) == ("New", FORM["event_types"])
    assert act("switch") == ["Endpoint disabled."]
    page = visible_text(
        alice.get(page_path(team.workspace, f"webhooks/{endpoint.id}")).content.decode()
    )
    assert "Disabled by a member just now . Pending events" in page
    assert act("test") == ["This webhook endpoint is switched off. Switch it on first."]
    assert act("switch", enabled="yes") == ["Endpoint enabled."]
    assert endpoint.is_enabled
    assert act("delete") == ["http://127.0.0.1:9 deleted."]
    assert not Endpoint.objects.filter(id=endpoint.id).exists()


def test_rotated_secret_is_shown_once(team: Team, alice: Client, endpoint: Endpoint) -> None:
    answer = alice.post(page_path(team.workspace, f"webhooks/{endpoint.id}/secret"))
    old = endpoint.sealed_secret
    endpoint.refresh_from_db()
    assert endpoint.sealed_previous_secret == old
    html = answer.content.decode()
    assert f'value="{decrypt_secret(endpoint.sealed_secret)}"' in html
    assert decrypt_secret(old) not in html
    page = visible_text(
        alice.get(page_path(team.workspace, f"webhooks/{endpoint.id}")).content.decode()
    )
    assert "Events are signed with both secrets. The old one expires on" in page


def test_delivery_shows_request_and_response_and_is_resent(team: Team, alice: Client) -> None:
    Delivery.objects.all().delete()  # senders deliver for all workspaces
    with Receiver(lambda _: Reply(500, b"<script>no</script>")) as receiver:
        endpoint, _ = make_webhook_endpoint(team.workspace, url=receiver.url)
        answer = alice.post(page_path(team.workspace, f"webhooks/{endpoint.id}/test"))
        delivery = Delivery.objects.get(endpoint=endpoint)
        address = page_path(team.workspace, f"deliveries/{delivery.id}")
        assert answer.headers["Location"] == address
        assert "hx-trigger" in alice.get(address).content.decode()
        assert deliver_due(seconds=0) == 1
        Delivery.objects.update(status="failed", next_attempt_at=None, claimed_until=None)
        html = alice.get(address).content.decode()
        assert 'id="delivery" hx-get' not in html
        text = visible_text(html)
        assert f"webhook-id: {delivery.event_id}" in text
        assert '"type": "webhook.test"' in text
        assert "Status 500" in text
        assert "<script>no</script>" in text
        assert "<script>no" not in html
        receiver.reply_to = lambda _: Reply(200, b"thanks")
        assert shown_messages(alice.post(f"{address}/resend", follow=True)) == [
            "Event queued for resending."
        ]
        assert deliver_due(seconds=0) == 1
    assert "Status 200" in visible_text(alice.get(address).content.decode())
    listed = alice.get(
        page_path(team.workspace, f"webhooks/{endpoint.id}"), {"status": "delivered"}
    )
    [row] = table_cells(listed.content.decode())
    assert row[:4] == ["webhook.test", "Delivered", "200", "1"]
    listed = alice.get(page_path(team.workspace, f"webhooks/{endpoint.id}"), {"status": "failed"})
    assert table_cells(listed.content.decode()) == []


def test_member_sees_endpoint_but_cannot_change_it(team: Team, endpoint: Endpoint) -> None:
    bob = login(team.bob)
    html = bob.get(page_path(team.workspace, f"webhooks/{endpoint.id}")).content.decode()
    assert "/hook" not in html
    assert "Rotate" not in html
    for verb in ("edit", "switch", "secret", "test", "delete"):
        address = page_path(team.workspace, f"webhooks/{endpoint.id}/{verb}")
        assert bob.post(address).status_code == 403


def test_unknown_endpoint_and_delivery_are_not_found(team: Team, alice: Client) -> None:
    foreign, _ = make_webhook_endpoint(team.other_workspace)
    theirs = send_test(endpoint=foreign)
    for id in ("nonsense", "c" + 24 * "0", "%00", foreign.id, theirs.id):
        for page in (f"webhooks/{id}", f"deliveries/{id}"):
            assert alice.get(page_path(team.workspace, page)).status_code == 404
        for verb in ("edit", "switch", "secret", "test", "delete"):
            address = page_path(team.workspace, f"webhooks/{id}/{verb}")
            assert alice.post(address, FORM).status_code == 404
        address = page_path(team.workspace, f"deliveries/{id}/resend")
        assert alice.post(address).status_code == 404


def test_query_count_is_constant(team: Team, alice: Client, endpoint: Endpoint) -> None:
    def more(times: int) -> None:
        for _ in range(times):
            send_test(endpoint=endpoint)

    address = page_path(team.workspace, f"webhooks/{endpoint.id}")
    assert count_queries_at_1_and_50_rows(alice, address, more) == (9, 9)


def test_paused_endpoint_says_when_it_continues(
    team: Team, alice: Client, endpoint: Endpoint
) -> None:
    page = page_path(team.workspace, f"webhooks/{endpoint.id}")
    until = timezone.now() + timedelta(minutes=30)
    Endpoint.objects.update(failing_since=timezone.now(), paused_until=until)
    text = visible_text(alice.get(page).content.decode())
    assert f"the next one is sent at {until.astimezone(UTC):%H:%M} UTC" in text
    Endpoint.objects.update(paused_until=timezone.now())
    assert "Requests timed out" not in visible_text(alice.get(page).content.decode())
