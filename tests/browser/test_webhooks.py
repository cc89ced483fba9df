"""Webhook endpoints: create, rotate the secret, send a test event, inspect and resend it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from playwright.sync_api import expect

from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import Delivery, Endpoint
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, make_webhook_endpoint
from tests.webhook_receiver import Receiver, Reply

pytestmark = pytest.mark.browser


def deliver() -> None:
    """Deliver pending events in another thread, because Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as sender:
        sender.submit(deliver_due, seconds=0).result()
        sender.submit(connections.close_all).result()


@BOTH_SIZES
def test_endpoint_creation_shows_secret_once(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/webhooks")
    page.get_by_role("link", name="Add endpoint").click()
    page.get_by_label("Endpoint URL").fill("https://hooks.example.com/parley")
    page.get_by_label("lead.created").check()
    page.get_by_role("button", name="Add endpoint").click()
    secret = page.get_by_label("Signing secret").input_value()
    assert secret.startswith("whsec_")
    assert_accessible(page)
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("hooks.example.com")
    assert secret not in page.content()
    page.get_by_role("button", name="Rotate secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate secret").click()
    assert page.get_by_label("Signing secret").input_value() != secret
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Events are signed with both secrets")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No webhook endpoints yet")).to_be_visible()
    assert Endpoint.objects.filter(workspace=live_team.workspace).count() == 0


@BOTH_SIZES
def test_test_event_is_sent_and_resent(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    Delivery.objects.all().delete()  # the sender handles all workspaces
    page = open_context(live_team.alice, size=size).new_page()
    with Receiver(lambda _: Reply(500, b"<b>not now</b>")) as receiver:
        endpoint, _ = make_webhook_endpoint(live_team.workspace, url=receiver.url)
        page.goto(f"/w/{live_team.workspace.slug}/webhooks/{endpoint.id}")
        page.get_by_role("button", name="Send test event").click()
        expect(page.get_by_text("Not sent yet.")).to_be_visible()
        deliver()
        expect(page.get_by_text("Status 500")).to_be_visible()  # the page polls
        expect(page.get_by_text("<b>not now</b>")).to_be_visible()
        Delivery.objects.update(status="failed", next_attempt_at=None, claimed_until=None)
        receiver.reply_to = lambda _: Reply(200, b"thanks")
        page.get_by_role("button", name="Resend").click()
        expect(page.get_by_text("Event queued for resending.")).to_be_visible()
        deliver()
        expect(page.get_by_text("Status 200")).to_be_visible()
    assert_accessible(page)
    first, second = receiver.received
    assert first.event_id == second.event_id
