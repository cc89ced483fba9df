"""Invitations, roles, ownership transfer and switching workspaces, at both screen sizes."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.workspaces.models import Workspace
from apps.workspaces.services import SEND_LETTERS_TASK
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team
from tests.task_runner import run_queued_tasks
from tests.workspaces.members import roles_by_email, verify_email

pytestmark = pytest.mark.browser


def open_members_page(page: Page, workspace: Workspace) -> Page:
    page.goto(f"/w/{workspace.slug}/members")
    return page


@BOTH_SIZES
def test_invited_user_joins_and_switches_workspace(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    run_queued_tasks()
    workspace, other_workspace, charlie = (
        live_team.workspace,
        live_team.other_workspace,
        verify_email(live_team.charlie),
    )
    Workspace.objects.filter(id=workspace.id).update(name="Here Inc.")
    Workspace.objects.filter(id=other_workspace.id).update(name="There Ltd.")
    page = open_members_page(open_context(live_team.alice, size=size).new_page(), workspace)
    page.get_by_label("Email address").fill(charlie.email)
    page.locator("form", has=page.get_by_label("Email address")).get_by_label("Role").select_option(
        "admin"
    )
    page.get_by_role("button", name="Send invitation").click()
    expect(page.get_by_role("cell", name=charlie.email, exact=True)).to_be_visible()
    run_queued_tasks(SEND_LETTERS_TASK)
    (letter,) = [each for each in mail.outbox if each.to == [charlie.email]]
    (link,) = re.findall(r"http\S+(/invitations/\S+)", str(letter.body))

    page = open_context(charlie, size=size).new_page()
    page.goto(link)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert f"/w/{workspace.slug}/" in page.url
    if size == "phone":
        page.get_by_role("button", name="Menu").click()
    page.locator("summary", has_text="Here Inc.").click()
    assert_accessible(page, ".sidebar details[open]")
    page.get_by_role("link", name="There Ltd.").click()
    page.wait_for_url(f"**/w/{other_workspace.slug}/")
    assert roles_by_email(workspace)[charlie.email] == "admin"


@BOTH_SIZES
def test_owner_transfers_ownership_and_leaves(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    page = open_members_page(
        open_context(live_team.alice, size=size).new_page(), live_team.workspace
    )
    page.get_by_role("button", name="Leave").click()
    dialog = page.get_by_role("dialog", name="Leave this workspace?")
    dialog.get_by_role("button", name="Leave").click()
    expect(page.locator(".toast-error")).to_be_visible()
    page.get_by_role("button", name=f"Transfer ownership to {live_team.bob.email}").click()
    dialog = page.get_by_role("dialog", name="Transfer ownership?")
    expect(dialog).to_contain_text(live_team.bob.email)
    assert_accessible(page, "dialog[open]")
    dialog.get_by_role("button", name="Transfer ownership").click()
    expect(page.get_by_role("button", name="Leave")).to_be_visible()
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    page.wait_for_url("**/workspaces*")
    assert roles_by_email(live_team.workspace) == {live_team.bob.email: "owner"}


@BOTH_SIZES
def test_role_change(open_context: OpenContext, live_team: Team, size: str) -> None:
    page = open_members_page(
        open_context(live_team.alice, size=size).new_page(), live_team.workspace
    )
    page.get_by_label(f"Role of {live_team.bob.email}", exact=True).select_option("viewer")
    page.get_by_role("button", name=f"Change role of {live_team.bob.email}").click()
    expect(page.locator(".toast").first).to_be_visible()
    assert roles_by_email(live_team.workspace)[live_team.bob.email] == "viewer"
