"""The pipeline of leads in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from apps.leads.models import Lead
from tests.browser.conftest import Open
from tests.factories import Team, make_chatbot
from tests.leads.leads import made

pytestmark = pytest.mark.browser


def test_lead_is_moved_where_it_is_listed(visit: Open, live_team: Team) -> None:
    lead = made(make_chatbot(live_team.workspace), name="Ana")
    page = visit(live_team.bob).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/leads")
    pipeline = page.get_by_role("navigation", name="Pipeline")
    expect(pipeline.get_by_role("link", name="New 1")).to_be_visible()
    page.get_by_label("Status of Ana").select_option("follow_up")
    expect(page.get_by_text("Ana is now follow up.")).to_be_visible()
    expect(pipeline.get_by_role("link", name="Follow up 1")).to_be_visible()
    lead.refresh_from_db()
    assert lead.status == "follow_up"
    Lead.objects.filter(id=lead.id).delete()
    page.get_by_label("Status of Ana").select_option("lost")
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
