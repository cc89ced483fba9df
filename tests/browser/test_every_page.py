"""Every page there is, found from the URL configuration: what people write does nothing in it, and
it is accessible, in light and in dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Dialog, Request

from apps.accounts.models import User
from apps.workspaces.models import Invitation
from apps.workspaces.queries import invitation_token
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import SIZES, session_of
from tests.browser.hostile_rows import fill, poison
from tests.dashboard.page_urls import PageUrl, page_urls
from tests.dashboard.test_access import arguments
from tests.factories import Team, delete_webhook_endpoints, make_team
from tests.web_processes import WebProcess

pytestmark = pytest.mark.browser

SHOW_ATTACKS = {
    *("overview", "chatbots", "chatbot", "playground", "versions", "version", "conversations"),
    *("conversation", "turn", "leads", "lead", "webhooks", "webhook", "delivery", "keys"),
    *("settings", "members", "audit", "credits", "accept_invitation", "choose", "not there"),
}
"""Pages that must have shown some attack: were the texts elsewhere, they would prove nothing."""

LEAD_ELSEWHERE = {
    *("account", "account_set_password", "workspaces"),
    *("mfa_login_webauthn", "mfa_download_recovery_codes"),
}
"""Addresses with no page of their own, for anybody whom there can be."""

SECOND_FACTOR = {
    *("mfa_authenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
    *("mfa_activate_totp", "mfa_deactivate_totp", "mfa_view_recovery_codes"),
    *("mfa_generate_recovery_codes", "mfa_add_webauthn", "mfa_edit_webauthn"),
    "mfa_remove_webauthn",
}
"""Pages on the way through a second factor, which `test_second_factor.py` looks at."""

STATUS = {"not there": 404, "forbidden": 403}
"""How a page answers that does not say 200."""


@dataclass(frozen=True)
class Hostile:
    """Alice's workspace, all attacks, and what the addresses of its pages name."""

    team: Team
    values: Mapping[str, str]
    columns: set[str]

    def pages(self) -> list[PageUrl]:
        """Every page of the configuration, and what shows only with a query or by mistake."""
        return [
            *page_urls(self.values),
            PageUrl("choose", "/workspaces?choose"),
            PageUrl("not there", f"/w/{self.team.workspace.slug}/chatbots/nowhere"),
            PageUrl("forbidden", f"/w/{self.team.workspace.slug}/audit"),
        ]


@pytest.fixture(scope="module")
def hostile(committed: None) -> Iterator[Hostile]:
    team = make_team()
    fill(team)
    values = arguments(team)
    offer = Invitation.objects.get(id=values["invitation_id"])
    columns = poison(team)
    yield Hostile(
        team, {**values, "token": invitation_token(offer), "key": "nonsense", "pk": "0"}, columns
    )
    delete_webhook_endpoints(team)


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


@pytest.mark.timeout(900)  # some sixty pages, each with axe in both lights
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_inert_and_accessible(
    chromium: Browser, web: WebProcess, hostile: Hostile, size: str
) -> None:
    """As a stranger, a member and the owner see it, in light and in dark (`assert_accessible`)."""
    pages = hostile.pages()
    stranger = Walk(chromium, web, size, None)
    member = Walk(chromium, web, size, hostile.team.bob)
    owner = Walk(chromium, web, size, hostile.team.alice)
    for walk, these in ((stranger, pages), (member, pages[-1:]), (owner, pages)):
        for page in these:
            walk.look_at(page)
        walk.end()
    walks = (stranger, member, owner)
    wrongs = [wrong for walk in walks for wrong in walk.wrongs]
    assert wrongs == [], "\n".join(wrongs)
    assert SHOW_ATTACKS - owner.shown == set()
    looked_at = {name for walk in walks for name in walk.seen | walk.no_pages}
    assert {page.name for page in pages} - looked_at == LEAD_ELSEWHERE | SECOND_FACTOR


class Walk:
    """One person's way through the pages, and what was wrong on it."""

    def __init__(self, chromium: Browser, web: WebProcess, size: str, user: User | None) -> None:
        width, height = SIZES[size]
        self._at = web.url
        self._context = chromium.new_context(
            base_url=web.url,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
        )
        if user is not None:
            name, value = settings.SESSION_COOKIE_NAME, session_of(user)
            self._context.add_cookies([{"name": name, "value": value, "url": web.url}])
        self._watch = Watch(self._context, web.url)
        self._page = self._context.new_page()
        self.wrongs: list[str] = []
        self.shown: set[str] = set()
        self.seen: set[str] = set()
        self.no_pages: set[str] = set()

    def look_at(self, page: PageUrl) -> None:
        """Note what is wrong with a page, unless it leads to another or this person has none."""
        answer = self._context.request.get(page.path)
        is_html = answer.headers.get("content-type", "").startswith("text/html")
        if answer.status == 405 or not is_html:
            self.no_pages.add(page.name)
        elif (answer.status, answer.url) == (STATUS.get(page.name, 200), self._at + page.path):
            self.seen.add(page.name)
            if "document.hacked" in answer.text():
                self.shown.add(page.name)
            found = self._wrongs_of(page.path, is_whole="<html" in answer.text())
            self.wrongs += [f"{page.name}: {wrong}" for wrong in found]

    def _wrongs_of(self, path: str, *, is_whole: bool) -> list[str]:
        self._watch.wrongs.clear()
        self._page.goto(path)
        found = list(self._watch.wrongs)
        if self._page.evaluate("document.hacked ?? null") is not None:
            found.append("a text was run")
        if is_whole:
            try:
                assert_accessible(self._page)
            except AssertionError as wrong:
                found.append(str(wrong))
        return found

    def end(self) -> None:
        self._context.close()
