"""The sections of a workspace's admin page."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.api_keys.services import issue_key
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services import add_member
from tests.factories import (
    Team,
    grant_credits,
    make_api_key,
    make_chatbot,
    make_language_model,
    make_user,
)
from tests.staff.test_home import cell_texts, client_in_group
from tests.turns.turn_factory import complete_turn, make_running_turn


def change_url(workspace: Workspace) -> str:
    return reverse("admin:workspaces_workspace_change", args=[workspace.pk])


def test_workspace_page_shows_all_sections(team: Team) -> None:
    grant_credits(team.workspace, 10)
    grant_credits(team.other_workspace, 77)
    make_chatbot(team.other_workspace, name="Theirs")
    key, secret = issue_key(workspace=team.workspace, name="Website")
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_reply=3), name="Helper")
    complete_turn(make_running_turn(chatbot, credits=4))
    make_running_turn(chatbot, credits=2)
    answer = client_in_group("").get(change_url(team.workspace))
    rows = {section.title: cell_texts(section) for section in answer.context["sections"]}
    assert rows["Credits"] == [["No plan", "7", "2", "5"]]
    assert [row[1:] for row in rows["Ledger"]] == [
        ["Charge", "-3", "7", ""],
        ["Grant", "+10", "10", "for a test"],
    ]
    assert [row[:2] for row in rows["Members"]] == [
        [team.alice.email, "Owner"],
        [team.bob.email, "Member"],
    ]
    assert rows["API keys"] == [["Website", key.shown, "chat", "—", "Active"]]
    assert rows["Chatbots"] == [["Helper", chatbot.language_model.name, "60 per 60 s", "Active"]]
    page = answer.content.decode()
    assert (secret in page, "Theirs" in page) == (False, False)


@pytest.mark.parametrize(
    ("group", "shown"),
    [
        ("support", ["Credits", "Ledger", "Members", "API keys", "Chatbots"]),
        ("finance", ["Credits", "Ledger", "Members"]),
        ("operator", ["Chatbots"]),
        ("auditor", ["Credits", "Ledger", "Members", "API keys", "Chatbots"]),
    ],
)
def test_sections_depend_on_permissions(team: Team, group: str, shown: list[str]) -> None:
    answer = client_in_group(group).get(change_url(team.workspace))
    assert [section.title for section in answer.context["sections"]] == shown


def test_query_count_does_not_grow_with_rows(team: Team) -> None:
    client = client_in_group("")

    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(change_url(team.workspace)).status_code == 200
        return len(captured)

    def grow() -> None:
        make_api_key(team.workspace)
        complete_turn(make_running_turn(make_chatbot(team.workspace)))
        grant_credits(team.workspace, 1)
        add_member(workspace=team.workspace, user=make_user(), role=Role.VIEWER)

    grow()
    statements()
    few = statements()
    for _ in range(12):
        grow()
    assert statements() == few
