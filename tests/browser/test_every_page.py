"""Every page of the URL configuration escapes attacks and is accessible, at both screen sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Dialog, Request

from apps.accounts.models import User
from apps.conversations.models import Knowledge, Turn
from apps.workspaces.models import Invitation
from apps.workspaces.queries import invitation_token
from bench.page_urls import PageUrl, page_urls
from tests.browser.accessibility import assert_accessible
from tests.browser.attack_rows import create_rows, overwrite_texts
from tests.browser.conftest import SIZES, create_session
from tests.conversations.citation_factory import make_citation
from tests.dashboard.test_access import url_arguments
from tests.factories import Team, delete_webhook_endpoints, make_team
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.web_processes import WebProcess

pytestmark = pytest.mark.browser

PAGES_WITH_ATTACKS = {
    *("overview", "chatbots", "chatbot", "playground", "versions", "version", "conversations"),
    *("conversation", "turn", "leads", "lead", "webhooks", "webhook", "delivery", "keys"),
    *("unanswered", "unanswered_question"),
    *("knowledge", "knowledge_base", "knowledge_settings", "search_knowledge", "add_source"),
    "search results",
    *("source", "source_documents", "source_settings", "chatbot_knowledge"),
    *("settings", "members", "audit", "credits", "accept_invitation", "choose", "not there"),
}
"""Pages that must show attacks; without them the test would prove nothing."""

WITHOUT_OWN_PAGE = {
    *("account", "account_set_password", "workspaces"),
    *("mfa_login_webauthn", "mfa_download_recovery_codes"),
}
"""URLs that always redirect or return a file."""

SECOND_FACTOR_PAGES = {
    *("mfa_authenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
    *("mfa_activate_totp", "mfa_deactivate_totp", "mfa_view_recovery_codes"),
    *("mfa_generate_recovery_codes", "mfa_add_webauthn", "mfa_edit_webauthn"),
    "mfa_remove_webauthn",
}
"""Pages of the second-factor flow, checked in `test_second_factor.py`."""

EXPECTED_STATUS = {"not there": 404, "forbidden": 403}
"""Expected status of pages that do not return 200."""


@dataclass(frozen=True)
class AttackedTeam:
    """Alice's workspace full of attacks, and the arguments of its page URLs."""

    team: Team
    values: Mapping[str, str]
    columns: set[str]

    def pages(self) -> list[PageUrl]:
        """All configured pages, plus those that need a query or an error."""
        search_test = "/w/{slug}/knowledge/{knowledge_base_id}/search".format_map(self.values)
        return [
            *page_urls(self.values),
            PageUrl("search results", f"{search_test}?question=hacked"),
            PageUrl("choose", "/workspaces?choose"),
            PageUrl("not there", f"/w/{self.team.workspace.slug}/chatbots/nowhere"),
            PageUrl("forbidden", f"/w/{self.team.workspace.slug}/audit"),
        ]


@pytest.fixture(scope="module")
def attacked(committed: None) -> Iterator[AttackedTeam]:
    team = make_team()
    create_rows(team)
    values = url_arguments(team)
    add_answer_with_source(Turn.objects.get(id=values["turn_id"]))
    invitation = Invitation.objects.get(id=values["invitation_id"])
    columns = overwrite_texts(team)
    yield AttackedTeam(
        team,
        {**values, "token": invitation_token(invitation), "key": "nonsense", "pk": "0"},
        columns,
    )
    delete_webhook_endpoints(team)


def add_answer_with_source(turn: Turn) -> None:
    """Add one to the conversation of this turn, which is not answered."""
    complete_turn(turn)
    following = make_running_turn(turn.chatbot, conversation_id=turn.conversation_id)
    complete_turn(following)
    Turn.objects.filter(id=turn.id).update(knowledge=Knowledge.NOTHING_FOUND)
    Turn.objects.filter(id=following.id).update(knowledge=Knowledge.FOUND)
    make_citation(following)


class PageMonitor:
    """Collects dialogs, errors, CSP violations and foreign requests of a context."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self.problems: list[str] = []
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (e) => console.error('CSP: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        context.on("console", lambda m: self.problems.append(m.text) if "CSP" in m.text else None)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))
        context.on("dialog", self._on_dialog)
        context.on("request", self._on_request)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self.problems.append(f"request to {request.url}")


def test_every_text_column_holds_attacks(attacked: AttackedTeam) -> None:
    """Excluded columns are listed in `attack_rows.py`."""
    assert {
        "workspaces_workspace.name",
        "accounts_user.email",
        "api_keys_apikey.name",
        "chatbots_chatbot.name",
        "chatbots_chatbot.system_prompt",
        "chatbots_chatbotversion.snapshot",
        "conversations_message.text",
        "conversations_message.metadata",
        "conversations_citation.text",
        "conversations_citation.title",
        "knowledge_chunk.text",
        "knowledge_document.title",
        "knowledge_knowledgebase.name",
        "knowledge_source.title",
        "leads_lead.name",
        "leads_lead.metadata",
        "webhooks_endpoint.description",
        "webhooks_delivery.response_body",
        "audit_auditentry.target_label",
        "audit_auditentry.details",
        "credits_ledgerentry.reason",
    } - attacked.columns == set()


@pytest.mark.timeout(900)  # some sixty pages, each with axe in both lights
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_inert_and_accessible(
    chromium: Browser, web: WebProcess, attacked: AttackedTeam, size: str
) -> None:
    """Checked signed out, as a member and as the owner, in light and dark mode."""
    pages = attacked.pages()
    signed_out = PageAudit(chromium, web, size, None)
    member = PageAudit(chromium, web, size, attacked.team.bob)
    owner = PageAudit(chromium, web, size, attacked.team.alice)
    for audit, audited_pages in ((signed_out, pages), (member, pages[-1:]), (owner, pages)):
        for page in audited_pages:
            audit.check(page)
        audit.close()
    audits = (signed_out, member, owner)
    problems = [problem for audit in audits for problem in audit.problems]
    assert problems == [], "\n".join(problems)
    assert PAGES_WITH_ATTACKS - owner.with_attacks == set()
    checked = {name for audit in audits for name in audit.visited | audit.skipped}
    assert {page.name for page in pages} - checked == WITHOUT_OWN_PAGE | SECOND_FACTOR_PAGES


class PageAudit:
    """Visits pages as one user and collects their problems."""

    def __init__(self, chromium: Browser, web: WebProcess, size: str, user: User | None) -> None:
        width, height = SIZES[size]
        self._base_url = web.url
        self._context = chromium.new_context(
            base_url=web.url,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
        )
        if user is not None:
            name, value = settings.SESSION_COOKIE_NAME, create_session(user)
            self._context.add_cookies([{"name": name, "value": value, "url": web.url}])
        self._monitor = PageMonitor(self._context, web.url)
        self._page = self._context.new_page()
        self.problems: list[str] = []
        self.with_attacks: set[str] = set()
        self.visited: set[str] = set()
        self.skipped: set[str] = set()

    def check(self, page: PageUrl) -> None:
        """Check a page, unless it redirects or is not available to this user."""
        answer = self._context.request.get(page.path)
        is_html = answer.headers.get("content-type", "").startswith("text/html")
        if answer.status == 405 or not is_html:
            self.skipped.add(page.name)
        elif (answer.status, answer.url) == (
            EXPECTED_STATUS.get(page.name, 200),
            self._base_url + page.path,
        ):
            self.visited.add(page.name)
            if "document.hacked" in answer.text():
                self.with_attacks.add(page.name)
            found = self._check_page(page.path, is_full_page="<html" in answer.text())
            self.problems += [f"{page.name}: {problem}" for problem in found]

    def _check_page(self, path: str, *, is_full_page: bool) -> list[str]:
        self._monitor.problems.clear()
        self._page.goto(path)
        found = list(self._monitor.problems)
        if self._page.evaluate("document.hacked ?? null") is not None:
            found.append("an attack was executed")
        if is_full_page:
            try:
                assert_accessible(self._page)
            except AssertionError as problem:
                found.append(str(problem))
        return found

    def close(self) -> None:
        self._context.close()
