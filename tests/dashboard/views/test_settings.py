from __future__ import annotations

import pytest

from apps.audit.queries import entries_for
from tests.dashboard.page_client import clients_by_role, login, page_path, shown_messages
from tests.factories import Team


def test_workspace_is_renamed(team: Team) -> None:
    alice = login(team.alice)
    form = {"name": " <b>Acme</b> "}
    response = alice.post(page_path(team.workspace, "settings/name"), form, follow=True)
    team.workspace.refresh_from_db()
    assert (team.workspace.name, response.status_code) == ("<b>Acme</b>", 200)
    assert "<b>Acme</b>" not in response.content.decode()
    assert entries_for(team.workspace.id)[0].actor_label == team.alice.email


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\x00b"])
def test_invalid_name_gets_a_form_error(team: Team, name: str) -> None:
    before = team.workspace.name
    response = login(team.alice).post(page_path(team.workspace, "settings/name"), {"name": name})
    team.workspace.refresh_from_db()
    assert (response.status_code, team.workspace.name) == (422, before)
    assert response.context["form"].errors.keys() == {"name"}


def test_deletion_requires_the_name_and_can_be_canceled(team: Team) -> None:
    alice = login(team.alice)
    wrong = alice.post(page_path(team.workspace, "settings/delete"), {"name": "other"}, follow=True)
    assert shown_messages(wrong) == ["Enter the workspace name exactly as shown."]
    form = {"name": team.workspace.name}
    right = alice.post(page_path(team.workspace, "settings/delete"), form, follow=True)
    page = right.content.decode()
    assert (page.count("Cancel deletion"), page.count("settings/delete")) == (1, 0)
    response = alice.post(page_path(team.workspace, "settings/keep"), follow=True)
    assert shown_messages(response) == [f"Deletion of {team.workspace.name} canceled."]
    team.workspace.refresh_from_db()
    assert team.workspace.deletion_due_at is None


def test_forms_require_permission(team: Team) -> None:
    shown = {}
    for name, browser in clients_by_role(team).items():
        page = browser.get(page_path(team.workspace, "settings")).content.decode()
        shown[name] = (page.count("settings/name"), page.count("settings/delete"))
    assert shown == {
        "owner": (1, 1),
        "admin": (1, 0),
        "member": (0, 0),
        "viewer": (0, 0),
        "outsider": (0, 0),
        "anonymous": (0, 0),
    }


@pytest.mark.parametrize(
    ("page", "allowed"),
    [
        ("settings/name", {"owner", "admin"}),
        ("settings/delete", {"owner"}),
        ("settings/keep", {"owner"}),
    ],
)
def test_changes_require_permission(team: Team, page: str, allowed: set[str]) -> None:
    found = {
        name: browser.post(page_path(team.workspace, page), {"name": "New"}).status_code
        for name, browser in clients_by_role(team).items()
    }
    refused = {"outsider": 404, "anonymous": 302}
    assert found == {name: 302 if name in allowed else refused.get(name, 403) for name in found}
