"""Data retention settings and erasing an end user's data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from apps.conversations.models import Message
from apps.privacy.end_user_erasure import erase_end_users
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenContext
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn

pytestmark = pytest.mark.browser
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")
EXTRA_LOOKS = [("desktop", "dark"), ("phone", "light")] if SCREENSHOT_DIR else []
USER_ID = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("size", "scheme"), [("desktop", "light"), ("phone", "dark"), *EXTRA_LOOKS]
)
def test_retention_and_end_user_erasure(
    open_context: OpenContext, live_team: Team, size: str, scheme: str
) -> None:
    complete_turn(
        make_running_turn(make_chatbot(live_team.workspace), metadata={"userId": USER_ID})
    )
    page = open_context(live_team.alice, size=size, scheme=scheme).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/settings")
    page.get_by_label("Delete conversations after").fill("90")
    page.get_by_label("Delete leads after").fill("365")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Changes saved. Older data is deleted within an hour.")).to_be_visible()
    expect(page.get_by_label("Delete conversations after")).to_have_value("90")
    page.get_by_label("End user ID").fill(USER_ID)
    page.get_by_role("button", name="Erase data").click()
    page.get_by_role("button", name="Erase permanently").click()
    erasures = page.get_by_role("region", name="Erasures")
    expect(erasures.get_by_text("Pending")).to_be_visible()
    erase_end_users(now=timezone.now())
    page.reload()
    expect(erasures.get_by_text("Erased")).to_be_visible()
    assert Message.objects.filter(workspace=live_team.workspace).count() == 0
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / f"settings-{size}-{scheme}.png", full_page=True)
    assert_accessible(page)
