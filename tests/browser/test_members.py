"""Who is in a workspace: asked in, handed over to, gone; and the way from one workspace to another,
at a desk and on a phone."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.workspaces.models import Workspace
from apps.workspaces.services.invitations import SEND_INVITATION_TASK
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, Open
from tests.factories import Team
from tests.task_runner import run_jobs
from tests.workspaces.people import roles_by_email, verify_email

pytestmark = pytest.mark.browser


def members(page: Page, workspace: Workspace) -> Page:
    page.goto(f"/w/{workspace.slug}/members")
    return page


@BOTH_SIZES
def test_somebody_is_invited_joins_and_goes_from_one_workspace_to_the_other(
    visit: Open, live_team: Team, size: str
) -> None:
    run_jobs()
    here, there, charlie = (
        live_team.workspace,
        live_team.other_workspace,
        verify_email(live_team.charlie),
    )
    Workspace.objects.filter(id=here.id).update(name="Here Inc.")
    Workspace.objects.filter(id=there.id).update(name="There Ltd.")
    page = members(visit(live_team.alice, size=size).new_page(), here)
    page.get_by_label("Email address").fill(charlie.email)
    page.locator("form", has=page.get_by_label("Email address")).get_by_label("Role").select_option(
        "admin"
    )
    page.get_by_role("button", name="Send invitation").click()
    expect(page.get_by_role("cell", name=charlie.email, exact=True)).to_be_visible()
    run_jobs(SEND_INVITATION_TASK)
    (link,) = re.findall(r"http\S+(/invitations/\S+)", str(mail.outbox[-1].body))

    page = visit(charlie, size=size).new_page()
    page.goto(link)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert f"/w/{here.slug}/" in page.url
    if size == "phone":
        page.get_by_role("button", name="Menu").click()
    page.locator("summary", has_text="Here Inc.").click()
    assert_accessible(page, ".sidebar details[open]")
    page.get_by_role("link", name="There Ltd.").click()
    page.wait_for_url(f"**/w/{there.slug}/")
    assert roles_by_email(here)[charlie.email] == "admin"


@BOTH_SIZES
def test_owner_hands_over_and_leaves(visit: Open, live_team: Team, size: str) -> None:
    page = members(visit(live_team.alice, size=size).new_page(), live_team.workspace)
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
def test_role_is_changed(visit: Open, live_team: Team, size: str) -> None:
    page = members(visit(live_team.alice, size=size).new_page(), live_team.workspace)
    page.get_by_label(f"Role of {live_team.bob.email}", exact=True).select_option("viewer")
    page.get_by_role("button", name=f"Change role of {live_team.bob.email}").click()
    expect(page.locator(".toast").first).to_be_visible()
    assert roles_by_email(live_team.workspace)[live_team.bob.email] == "viewer"
