"""Getting into an account and keeping others out of it: an app, recovery codes, passkeys, sessions
and a forgotten password, at a desk and on a phone; each page on the way, accessible."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from tests.accounts.browser_session import SEND_EMAIL_TASK
from tests.accounts.test_second_factor import code
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, Open
from tests.factories import Team
from tests.task_runner import run_jobs

pytestmark = pytest.mark.browser
PASSWORD = "a-good-password"


@pytest.fixture
def alice(live_team: Team) -> User:
    run_jobs()
    mark_email_verified(user=live_team.alice)
    return live_team.alice


def log_in(page: Page, user: User, password: str = PASSWORD) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def confirm(page: Page) -> None:
    """Give the password again, as what changes how one gets in asks for."""
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def log_out(page: Page) -> None:
    page.goto("/logout")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()


def see(page: Page, heading: str) -> None:
    """The page of this heading is there, and axe finds nothing on it."""
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    assert_accessible(page)


@BOTH_SIZES
def test_app_is_set_up_asked_for_and_replaced_by_a_recovery_code(
    visit: Open, alice: User, size: str
) -> None:
    page = visit(None, size=size).new_page()
    log_in(page, alice)
    page.goto("/account/2fa")
    page.get_by_role("link", name="Set up").click()
    confirm(page)
    see(page, "Set up an authenticator app")
    page.get_by_label("code").fill(code(page.locator("p > code").inner_text()))
    page.get_by_role("button", name="Enable").click()
    see(page, "Recovery codes")
    first, second, *_ = page.locator("pre").inner_text().split()

    log_out(page)
    log_in(page, alice)
    see(page, "Two-factor authentication")
    page.get_by_label("Code").fill(first)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto("/account/2fa")
    see(page, "Two-factor authentication")
    expect(page.get_by_text("9 of 10 are left.")).to_be_visible()
    page.get_by_role("link", name="Generate new codes").click()
    page.get_by_role("link", name="Use authenticator app or code").click()
    see(page, "Confirm it's you")
    page.get_by_label("Code").fill(second)
    page.get_by_role("button", name="Confirm").click()
    see(page, "Generate new recovery codes?")
    page.get_by_role("button", name="Generate new codes").click()
    see(page, "Recovery codes")
    assert first not in page.locator("pre").inner_text().split()
    page.goto("/account/2fa/app/remove")
    see(page, "Disable the authenticator app?")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("link", name="Set up")).to_be_visible()


@BOTH_SIZES
def test_passkey_is_added_named_and_logs_in(visit: Open, alice: User, size: str) -> None:
    """With Chromium's own virtual authenticator, on localhost, as passkeys want a name."""
    context = visit(None, size=size)
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto("/login")
    origin = page.url.removesuffix("/login").replace("127.0.0.1", "localhost")
    page.goto(f"{origin}/login")
    page.get_by_label("Email").fill(alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.goto(f"{origin}/account/passkeys/add")
    confirm(page)
    see(page, "Add passkey")
    page.get_by_label("Log in without a password").check()
    page.get_by_role("button", name="Add").click()
    see(page, "Recovery codes")
    context.clear_cookies()
    page.goto(f"{origin}/login")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto(f"{origin}/account/passkeys")
    see(page, "Passkeys")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Use a security key").click()
    see(page, "Confirm it's you")
    page.get_by_role("button", name="Use a passkey").click()
    see(page, "Rename passkey")
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="My laptop")).to_be_visible()
    page.get_by_role("link", name="Remove").click()
    see(page, "Remove “My laptop”?")
    page.get_by_role("button", name="Remove passkey").click()
    expect(page.get_by_text("No passkeys yet")).to_be_visible()


@BOTH_SIZES
def test_other_sessions_are_logged_out(visit: Open, alice: User, size: str) -> None:
    page, elsewhere = (visit(None, size=size).new_page() for _ in range(2))
    for each in (page, elsewhere):
        log_in(each, alice)
        expect(each.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto("/account/sessions")
    see(page, "Sessions")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.get_by_text("Current")).to_have_count(1)
    page.get_by_role("button", name="Log out other sessions").click()
    expect(rows).to_have_count(1)
    elsewhere.reload()
    expect(elsewhere.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    page.goto("/workspaces")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@BOTH_SIZES
def test_forgotten_password_is_replaced_by_a_link(visit: Open, alice: User, size: str) -> None:
    page = visit(None, size=size).new_page()
    page.goto("/login")
    page.get_by_role("link", name="Forgot").click()
    page.get_by_label("Email").fill(alice.email)
    page.get_by_role("button", name="Send link").click()
    see(page, "Check your email")
    run_jobs(SEND_EMAIL_TASK)
    (link,) = re.findall(r"http\S+/password/reset/\S+", str(mail.outbox[-1].body))
    page.goto(link)
    see(page, "Choose a new password")
    for field in page.locator("input[type=password]").all():
        field.fill("Another-9-good-one")
    page.get_by_role("button", name="Change password").click()
    log_in(page, alice, "Another-9-good-one")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(link)
    see(page, "This link isn't valid")
