"""From sign-up to the first API call, key rotation, workspace deletion and member removal."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.accounts.services import mark_email_verified
from apps.audit.queries import entries_for
from apps.chatbots.queries import chatbots_for
from apps.core.ids import new_id
from apps.workspaces.models import Role, Workspace
from apps.workspaces.queries import invitation_token
from apps.workspaces.services import invite
from tests.accounts.browser_session import PASSWORD, SEND_EMAIL_TASK
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.task_runner import run_queued_tasks
from tests.web_processes import WebProcess
from tests.workspaces.members import actor_for, get_member

pytestmark = pytest.mark.browser
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")
LOOKS = pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])


def take_screenshot(page: Page, name: str) -> None:
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / f"{name}.png", full_page=True)


def run_in_shell(command: str) -> dict[str, Any]:
    """Run a copied command and return its JSON output."""
    shell = ["/bin/sh", "-c", command]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=30, check=True)
    output: dict[str, Any] = json.loads(done.stdout)
    return output


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@BOTH_SIZES
def test_sign_up_to_first_api_call(
    open_context: OpenContext, web: WebProcess, committed: None, size: str
) -> None:
    run_queued_tasks()
    email = f"dana-{new_id()}@example.com"
    page = open_context(None, size=size).new_page()
    page.goto("/signup")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Workspace").fill("Acme Inc.")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()

    run_queued_tasks(SEND_EMAIL_TASK)
    (link,) = re.findall(r"http\S+(/verify-email/\S+)", str(mail.outbox[-1].body))
    page.goto(link)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    workspace = Workspace.objects.get(members__user__email=email)
    assert page.url == f"{web.url}/w/{workspace.slug}/"

    model = make_language_model(credits_per_reply=1)
    page.goto(f"/w/{workspace.slug}/chatbots")
    page.get_by_role("link", name="New chatbot").click()
    page.get_by_label("Name").fill("Support")
    page.get_by_label("Model").select_option(value=model.id)
    page.get_by_role("button", name="Create chatbot").click()
    page.wait_for_url("**/playground")  # the script that handles Enter is loaded
    page.get_by_label("Message").fill("Is anybody there?")
    page.get_by_label("Message").press("Enter")
    answer = page.locator(".line-answer")
    expect(answer).to_have_attribute("data-state", "done")
    expect(answer.locator(".text")).to_have_text("Echo: Is anybody there?")
    expect(answer.locator(".about")).to_contain_text("1 credit")

    page.goto(f"/w/{workspace.slug}/keys")
    page.get_by_label("Name").fill("Website")
    page.get_by_role("button", name="Create key").click()
    secret = page.get_by_label("API key", exact=True).input_value()
    curl = page.locator("#curl").inner_text()
    chatbot = chatbots_for(workspace.id).get()
    assert f"{web.url}/api/v1/chatbots/{chatbot.id}/chat" in curl
    assert run_in_shell(curl)["data"]["response"] == "Echo: Hello"
    page.get_by_role("link", name="Done").click()
    assert secret not in page.content()
    expect(page.get_by_role("cell", name="Website", exact=True)).to_be_visible()


@BOTH_SIZES
def test_rotated_key_works_during_grace_period(
    open_context: OpenContext, web: WebProcess, live_team: Team, size: str
) -> None:
    old, chatbot = make_api_key(live_team.workspace), make_chatbot(live_team.workspace)
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/keys")
    page.get_by_role("button", name="Rotate test").click()
    dialog = page.get_by_role("dialog", name="Rotate this key?")
    expect(dialog).to_contain_text(f"test ({old[:17]}…{old[-4:]})")
    dialog.get_by_label("Revoke old key").select_option(label="In 1 hour")
    dialog.get_by_role("button", name="Rotate key").click()
    new = page.get_by_label("API key", exact=True).input_value()
    assert new != old
    for secret in (old, new):
        answer = httpx.post(
            f"{web.url}/api/v1/chatbots/{chatbot.id}/chat",
            headers={"Authorization": f"Bearer {secret}"},
            json={"message": "Hello"},
        )
        assert answer.status_code == 200


@BOTH_SIZES
def test_workspace_deletion_is_confirmed_and_canceled(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    workspace = live_team.workspace
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{workspace.slug}/settings")
    page.get_by_role("button", name="Delete workspace").click()
    dialog = page.get_by_role("dialog", name="Delete this workspace?")
    expect(dialog.get_by_role("button", name="Delete workspace")).to_be_disabled()
    dialog.get_by_label("Type").fill(workspace.name)
    dialog.get_by_role("button", name="Delete workspace").click()
    page.get_by_role("button", name="Cancel deletion").click()
    expect(page.get_by_text(f"Deletion of {workspace.name} canceled.")).to_be_visible()
    workspace.refresh_from_db()
    assert workspace.deletion_due_at is None


@BOTH_SIZES
def test_member_removal_is_confirmed(open_context: OpenContext, live_team: Team, size: str) -> None:
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/members")
    page.get_by_role("button", name=f"Remove {live_team.bob.email}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove member").click()
    expect(page.get_by_text(f"{live_team.bob.email} removed.")).to_be_visible()
    (entry,) = entries_for(live_team.workspace.id)
    assert (entry.action, entry.target_label) == ("member.removed", live_team.bob.email)


@LOOKS
def test_signed_out_pages_are_accessible(
    open_context: OpenContext, live_team: Team, size: str, scheme: str
) -> None:
    alice = get_member(live_team.workspace, live_team.alice)
    invitation = invite(
        workspace=live_team.workspace,
        email=f"{'m' * 39}{new_id()}@example.com",  # as long as a local part may be
        role=Role.VIEWER,
        by=alice,
        actor=actor_for(alice),
    )
    page = open_context(None, size=size, scheme=scheme).new_page()
    for address in (
        "/login",
        "/signup",
        "/verify-email",
        "/verify-email/nonsense",
        "/password/reset",
        "/password/reset/sent",
        f"/invitations/{invitation_token(invitation)}",
        "/invitations/nonsense",
    ):
        page.goto(address)
        take_screenshot(page, f"{address.strip('/').replace('/', '-')[:22]}-{size}-{scheme}")
        assert_accessible(page)
    page.goto("/login")
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("guess")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    take_screenshot(page, f"login-refused-{size}-{scheme}")
    assert_accessible(page)


@LOOKS
def test_settings_and_account_pages_are_accessible(
    open_context: OpenContext, live_team: Team, size: str, scheme: str
) -> None:
    mark_email_verified(user=live_team.alice)
    workspace, alice = live_team.workspace, get_member(live_team.workspace, live_team.alice)
    grant_credits(workspace, 100)
    make_api_key(workspace)
    invite(
        workspace=workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=alice,
        actor=actor_for(alice),
    )
    page = open_context(live_team.alice, size=size, scheme=scheme).new_page()
    workspace_pages = ("settings", "members", "audit", "keys")
    account_pages = ("email", "password", "2fa", "passkeys", "sessions")
    for address in [
        *(f"/w/{workspace.slug}/{name}" for name in workspace_pages),
        *(f"/account/{name}" for name in account_pages),
        "/workspaces?choose",
        "/workspaces/new",
        "/confirm",
        "/logout",
    ]:
        response = page.goto(address)
        assert response is not None
        assert response.status == 200, address
        name = address.removeprefix(f"/w/{workspace.slug}").strip("/").replace("/", "-")
        take_screenshot(page, f"{name.replace('?', '-')}-{size}-{scheme}")
        assert_accessible(page)
