"""Authenticator app, recovery codes, passkeys, sessions and password reset.

Every page of each flow is checked for accessibility, at both screen sizes.
"""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from tests.accounts.authenticator_app import app_code
from tests.accounts.browser_session import SEND_EMAIL_TASK
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team
from tests.task_runner import run_queued_tasks

pytestmark = pytest.mark.browser
PASSWORD = "a-good-password"


@pytest.fixture
def alice(live_team: Team) -> User:
    run_queued_tasks()
    mark_email_verified(user=live_team.alice)
    return live_team.alice


def log_in(page: Page, user: User, password: str = PASSWORD) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def confirm_password(page: Page) -> None:
    """Re-enter the password."""
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def log_out(page: Page) -> None:
    page.goto("/logout")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()


def expect_page(page: Page, heading: str) -> None:
    """Assert that the page with this heading is shown and accessible."""
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    assert_accessible(page)


@BOTH_SIZES
def test_authenticator_app_and_recovery_codes(
    open_context: OpenContext, alice: User, size: str
) -> None:
    page = open_context(None, size=size).new_page()
    log_in(page, alice)
    page.goto("/account/2fa")
    page.get_by_role("link", name="Set up").click()
    confirm_password(page)
    expect_page(page, "Set up an authenticator app")
    page.get_by_label("code").fill(app_code(page.locator("p > code").inner_text()))
    page.get_by_role("button", name="Enable").click()
    expect_page(page, "Recovery codes")
    first, second, *_ = page.locator("pre").inner_text().split()

    log_out(page)
    log_in(page, alice)
    expect_page(page, "Two-factor authentication")
    page.get_by_label("Code").fill(first)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto("/account/2fa")
    expect_page(page, "Two-factor authentication")
    expect(page.get_by_text("9 of 10 left.")).to_be_visible()
    page.get_by_role("link", name="Generate new codes").click()
    page.get_by_role("link", name="Use authenticator app or code").click()
    expect_page(page, "Confirm it's you")
    page.get_by_label("Code").fill(second)
    page.get_by_role("button", name="Confirm").click()
    expect_page(page, "Generate new recovery codes?")
    page.get_by_role("button", name="Generate new codes").click()
    expect_page(page, "Recovery codes")
    assert first not in page.locator("pre").inner_text().split()
    page.goto("/account/2fa/app/remove")
    expect_page(page, "Disable the authenticator app?")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("link", name="Set up")).to_be_visible()


@BOTH_SIZES
def test_passkey_is_added_used_and_renamed(
    open_context: OpenContext, alice: User, size: str
) -> None:
    """Uses Chromium's virtual authenticator, on localhost because passkeys need a domain name."""
    context = open_context(None, size=size)
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
    confirm_password(page)
    expect_page(page, "Add passkey")
    page.get_by_label("Log in without a password").check()
    page.get_by_role("button", name="Add").click()
    expect_page(page, "Recovery codes")
    context.clear_cookies()
    page.goto(f"{origin}/login")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto(f"{origin}/account/passkeys")
    expect_page(page, "Passkeys")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Use a security key").click()
    expect_page(page, "Confirm it's you")
    page.get_by_role("button", name="Use a passkey").click()
    expect_page(page, "Rename passkey")
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="My laptop")).to_be_visible()
    page.get_by_role("link", name="Remove").click()
    expect_page(page, "Remove “My laptop”?")
    page.get_by_role("button", name="Remove passkey").click()
    expect(page.get_by_text("No passkeys yet")).to_be_visible()


@BOTH_SIZES
def test_other_sessions_are_logged_out(open_context: OpenContext, alice: User, size: str) -> None:
    page, other_page = (open_context(None, size=size).new_page() for _ in range(2))
    for session_page in (page, other_page):
        log_in(session_page, alice)
        expect(session_page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto("/account/sessions")
    expect_page(page, "Sessions")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.get_by_text("Current")).to_have_count(1)
    page.get_by_role("button", name="Log out other sessions").click()
    expect(rows).to_have_count(1)
    other_page.reload()
    expect(other_page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    page.goto("/workspaces")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@BOTH_SIZES
def test_password_reset_by_email(open_context: OpenContext, alice: User, size: str) -> None:
    page = open_context(None, size=size).new_page()
    page.goto("/login")
    page.get_by_role("link", name="Forgot").click()
    page.get_by_label("Email").fill(alice.email)
    page.get_by_role("button", name="Send link").click()
    expect_page(page, "Check your email")
    run_queued_tasks(SEND_EMAIL_TASK)
    (link,) = re.findall(r"http\S+(/password/reset/\S+)", str(mail.outbox[-1].body))
    page.goto(link)
    expect_page(page, "Choose a new password")
    for field in page.locator("input[type=password]").all():
        field.fill("Another-9-good-one")
    page.get_by_role("button", name="Change password").click()
    log_in(page, alice, "Another-9-good-one")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(link)
    expect_page(page, "This link isn't valid")
