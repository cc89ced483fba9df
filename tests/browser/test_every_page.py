"""Every page there is, found from the URL configuration: what people write does nothing in it, and
it is accessible, in light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request

from apps.workspaces.models import Invitation
from apps.workspaces.queries import token_of
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import SIZES, session_of
from tests.browser.hostile import fill, poison
from tests.dashboard.addresses import addresses
from tests.dashboard.test_access import arguments
from tests.factories import Team, leave_no_work, make_team
from tests.live import WebProcess

pytestmark = pytest.mark.browser

SHOW_ATTACKS = {
    *("overview", "chatbots", "chatbot", "playground", "versions", "version", "conversations"),
    *("conversation", "turn", "leads", "lead", "webhooks", "webhook", "delivery", "keys"),
    *("settings", "members", "audit", "credits", "accept_invitation", "workspaces"),
}
"""Pages that must have shown some attack: were the texts elsewhere, they would prove nothing."""


@dataclass(frozen=True)
class Hostile:
    """Alice's workspace, all attacks, and what the addresses of its pages name."""

    team: Team
    values: Mapping[str, str]
    columns: set[str]


@pytest.fixture(scope="module")
def hostile(committed: None) -> Iterator[Hostile]:
    team = make_team()
    fill(team)
    values = arguments(team)
    offer = Invitation.objects.get(id=values["invitation_id"])
    columns = poison(team)
    yield Hostile(team, {**values, "token": token_of(offer), "key": "nonsense"}, columns)
    leave_no_work(team)


class Watch:
    """What a page must not do: ask something, run what was written, break its policy, reach out."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self.wrongs: list[str] = []
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (e) => console.error('CSP: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        context.on("console", lambda m: self.wrongs.append(m.text) if "CSP" in m.text else None)
        context.on("weberror", lambda error: self.wrongs.append(str(error.error)))
        context.on("dialog", self._dialog)
        context.on("request", self._asked)

    def _dialog(self, dialog: Dialog) -> None:
        self.wrongs.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self.wrongs.append(f"asked for {request.url}")


def test_every_column_of_text_holds_attacks(hostile: Hostile) -> None:
    """What is left out is left out for a reason that is told in `hostile.py`."""
    assert {
        "workspaces_workspace.name",
        "accounts_user.email",
        "api_keys_apikey.name",
        "chatbots_chatbot.name",
        "chatbots_chatbot.system_prompt",
        "chatbots_chatbotversion.snapshot",
        "conversations_message.text",
        "conversations_message.metadata",
        "leads_lead.name",
        "leads_lead.metadata",
        "webhooks_endpoint.description",
        "webhooks_delivery.response_body",
        "audit_auditentry.target_label",
        "audit_auditentry.details",
        "credits_ledgerentry.reason",
    } - hostile.columns == set()


@pytest.mark.timeout(900)  # some fifty pages, each with axe
@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_every_page_is_inert_and_accessible(
    chromium: Browser, web: WebProcess, hostile: Hostile, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    context = chromium.new_context(
        base_url=web.url,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    session = session_of(hostile.team.alice)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": web.url}])
    watch, page, wrongs, shown = Watch(context, web.url), context.new_page(), {}, set()
    for address in addresses(hostile.values):
        answer = context.request.get(address.path)
        if "text/html" not in answer.headers.get("content-type", "") or answer.status != 200:
            continue
        html = answer.text()
        if "document.hacked" in html:
            shown.add(address.name)
        if problems := look_at(page, address.path, watch, is_whole="<html" in html):
            wrongs[address.name] = problems
    context.close()
    assert wrongs == {}, "\n".join(f"{name}: {wrong}" for name, wrong in wrongs.items())
    assert SHOW_ATTACKS - shown == set()


def look_at(page: Page, path: str, watch: Watch, *, is_whole: bool) -> list[str]:
    """What is wrong with the page."""
    watch.wrongs.clear()
    page.goto(path)
    found = list(watch.wrongs)
    if page.evaluate("document.hacked ?? null") is not None:
        found.append("a text was run")
    if is_whole:
        try:
            assert_accessible(page)
        except AssertionError as wrong:
            found.append(str(wrong))
    return found
