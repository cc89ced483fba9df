"""From nothing to a key in a program, as a person does it; and each page on the way, accessible."""

from __future__ import annotations

import os
import re
from pathlib import Path

import httpx
import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.accounts.services import mark_email_verified
from apps.audit.queries import entries_of
from apps.core.ids import new_id
from apps.workspaces.models import Role, Workspace
from apps.workspaces.queries import token_of
from apps.workspaces.services import invite
from tests.accounts.visiting import PASSWORD, SEND
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import Open
from tests.factories import Team, give, make_chatbot, make_key
from tests.jobs import run_jobs
from tests.live import WebProcess
from tests.workspaces.people import hand, place

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("SCREENSHOTS")
LOOKS = pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
BOTH_SIZES = pytest.mark.parametrize("size", ["desktop", "phone"])


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


@BOTH_SIZES
def test_from_sign_up_to_a_key_that_a_program_uses(
    visit: Open, web: WebProcess, committed: None, size: str
) -> None:
    run_jobs()
    email = f"dana-{new_id()}@example.com"
    page = visit(None, size=size).new_page()
    page.goto("/signup")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Workspace").fill("Acme Inc.")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()

    run_jobs(SEND)
    (link,) = re.findall(r"http\S+/verify-email/\S+", str(mail.outbox[-1].body))
    page.goto(link)
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    workspace = Workspace.objects.get(members__user__email=email)
    assert page.url == f"{web.url}/w/{workspace.slug}/"

    chatbot = make_chatbot(workspace)
    page.goto(f"/w/{workspace.slug}/keys")
    page.get_by_label("Name").fill("Website")
    page.get_by_role("button", name="Create key").click()
    secret = page.get_by_label("API key", exact=True).input_value()
    curl = page.locator("#curl").inner_text()
    assert f"{web.url}/api/v1/chatbots/{chatbot.id}/chat" in curl
    answer = httpx.post(
        f"{web.url}/api/v1/chatbots/{chatbot.id}/chat",
        headers={"Authorization": f"Bearer {secret}"},
        json={"message": "Hello"},
    )
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    page.get_by_role("link", name="I have stored it").click()
    assert secret not in page.content()
    expect(page.get_by_role("cell", name="Website", exact=True)).to_be_visible()


@BOTH_SIZES
def test_deletion_wants_the_name_typed_and_is_taken_back(
    visit: Open, live_team: Team, size: str
) -> None:
    workspace = live_team.workspace
    page = visit(live_team.alice, size=size).new_page()
    page.goto(f"/w/{workspace.slug}/settings")
    page.get_by_role("button", name="Delete workspace").click()
    dialog = page.get_by_role("dialog", name="Delete this workspace?")
    expect(dialog.get_by_role("button", name="Delete workspace")).to_be_disabled()
    dialog.get_by_label("Type").fill(workspace.name)
    dialog.get_by_role("button", name="Delete workspace").click()
    page.get_by_role("button", name="Keep this workspace").click()
    expect(page.get_by_text(f"{workspace.name} is kept.")).to_be_visible()
    workspace.refresh_from_db()
    assert workspace.deletion_due_at is None


@BOTH_SIZES
def test_member_is_removed_after_a_question(visit: Open, live_team: Team, size: str) -> None:
    page = visit(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/members")
    page.get_by_role("button", name=f"Remove {live_team.bob.email}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("is not in the workspace any more")).to_be_visible()
    (entry,) = entries_of(live_team.workspace.id)
    assert (entry.action, entry.target_label) == ("member.removed", live_team.bob.email)


def test_passkey_is_added_and_logs_in(visit: Open, live_team: Team) -> None:
    """With Chromium's own virtual authenticator, on localhost, as passkeys want a name."""
    mark_email_verified(user=live_team.alice)
    context = visit(None)
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
    page.get_by_label("Email").fill(live_team.alice.email)
    page.get_by_label("Password").fill("a-good-password")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.goto(f"{origin}/account/passkeys/add")
    page.get_by_label("Password").fill("a-good-password")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    context.clear_cookies()
    page.goto(f"{origin}/login")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@LOOKS
def test_pages_before_a_workspace_are_accessible(
    visit: Open, live_team: Team, size: str, scheme: str
) -> None:
    alice = place(live_team.workspace, live_team.alice)
    offer = invite(
        workspace=live_team.workspace,
        email=f"dana-{new_id()}@example.com",
        role=Role.VIEWER,
        by=alice,
        actor=hand(alice),
    )
    page = visit(None, size=size, scheme=scheme).new_page()
    for address in (
        "/login",
        "/signup",
        "/verify-email",
        "/verify-email/nonsense",
        "/password/reset",
        "/password/reset/sent",
        f"/invitations/{token_of(offer)}",
        "/invitations/nonsense",
    ):
        page.goto(address)
        shoot(page, f"{address.strip('/').replace('/', '-')[:22]}-{size}-{scheme}")
        assert_accessible(page)
    page.goto("/login")
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("guess")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    shoot(page, f"login-refused-{size}-{scheme}")
    assert_accessible(page)


@LOOKS
def test_pages_of_people_and_keys_are_accessible(
    visit: Open, live_team: Team, size: str, scheme: str
) -> None:
    mark_email_verified(user=live_team.alice)
    workspace, alice = live_team.workspace, place(live_team.workspace, live_team.alice)
    give(workspace, 100)
    make_key(workspace)
    invite(
        workspace=workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=alice,
        actor=hand(alice),
    )
    page = visit(live_team.alice, size=size, scheme=scheme).new_page()
    within = ("settings", "members", "audit", "keys")
    own = ("email", "password", "2fa", "passkeys", "sessions")
    for address in [
        *(f"/w/{workspace.slug}/{name}" for name in within),
        *(f"/account/{name}" for name in own),
        "/workspaces?choose",
        "/workspaces/new",
        "/confirm",
        "/logout",
    ]:
        response = page.goto(address)
        assert response is not None
        assert response.status == 200, address
        name = address.removeprefix(f"/w/{workspace.slug}").strip("/").replace("/", "-")
        shoot(page, f"{name.replace('?', '-')}-{size}-{scheme}")
        assert_accessible(page)
