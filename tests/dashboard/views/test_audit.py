from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM, record, user_actor
from apps.dashboard.presenters.audit import describe_details
from tests.dashboard.page_client import (
    clients_by_role,
    count_queries_at_1_and_50_rows,
    login,
    page_path,
)
from tests.factories import Team
from tests.web_processes import SSL_CONTEXT, WebProcess

ATTACK = '=HYPERLINK("https://evil.example","x")'


def listed_actions(team: Team, query: str = "") -> list[str]:
    page = login(team.alice).get(page_path(team.workspace, f"audit{query}"))
    assert page.status_code == 200
    return [entry.action for entry, _ in page.context["rows"]]


@pytest.fixture
def entries(team: Team) -> None:
    """Three things done in Alice's workspace, and one in Charlie's."""
    record(workspace_id=team.workspace.id, actor=user_actor(team.alice), action="key.issued")
    record(workspace_id=team.workspace.id, actor=user_actor(team.bob), action="key.revoked")
    record(workspace_id=team.workspace.id, actor=SYSTEM, action="member.removed")
    record(
        workspace_id=team.other_workspace.id, actor=user_actor(team.charlie), action="key.issued"
    )


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["key.issued", "key.revoked", "member.removed"]),
        ("?what=key", ["key.issued", "key.revoked"]),
        ("?what=key.revoked", ["key.revoked"]),
        ("?who=ALICE", ["key.issued"]),
        ("?who=charlie", []),
        ("?who=%25", []),
        ("?since=2001-01-01", ["key.issued", "key.revoked", "member.removed"]),
        ("?until=2001-01-01", []),
        ("?since=2199-12-31", []),
        ("?since=2999-01-01", ["key.issued", "key.revoked", "member.removed"]),
        ("?since=nonsense", ["key.issued", "key.revoked", "member.removed"]),
        ("?cursor=nonsense", ["key.issued", "key.revoked", "member.removed"]),
        ("?what=key&who=bob", ["key.revoked"]),
    ],
)
def test_log_is_filtered(team: Team, query: str, expected: list[str]) -> None:
    assert sorted(listed_actions(team, query)) == expected


@pytest.mark.usefixtures("entries")
def test_date_filter_includes_whole_days(team: Team) -> None:
    today = timezone.now().date()
    assert len(listed_actions(team, f"?since={today}&until={today}")) == 3
    assert (
        listed_actions(
            team, f"?since={today - timedelta(days=2)}&until={today - timedelta(days=1)}"
        )
        == []
    )


def test_pagination_keeps_the_filter(team: Team) -> None:
    for number in range(60):
        record(
            workspace_id=team.workspace.id,
            actor=user_actor(team.alice if number % 2 else team.bob),
            action="key.issued",
            target_id=str(number),
        )
    alice, seen, url = login(team.alice), [], page_path(team.workspace, "audit?what=key")
    while url:
        page = alice.get(url)
        seen += [entry.target_id for entry, _ in page.context["rows"]]
        more = page.context["page"].next_url
        url = page_path(team.workspace, f"audit{more}") if more else ""
    assert (len(seen), sorted(seen, key=int)) == (60, [str(number) for number in range(60)])


def test_csv_is_filtered_and_has_no_formulas(web: WebProcess, live_team: Team) -> None:
    workspace = live_team.workspace
    for label in (
        ATTACK,
        "+1",
        "-1",
        "-1-1",
        "@x",
        "\tx",
        "＝x",
        " =x",
        "plain, with “quotes” and \n lines",
    ):
        record(
            workspace_id=workspace.id,
            actor=user_actor(live_team.alice),
            action="chatbot.updated",
            target_label=label,
            details={"name": [label, "b"]},
        )
    record(workspace_id=workspace.id, actor=SYSTEM, action="member.removed")
    session = login(live_team.alice).cookies["sessionid"].value
    response = httpx.get(
        f"{web.url}{page_path(workspace, 'audit.csv?what=chatbot')}",
        headers={"Cookie": f"sessionid={session}"},
        verify=SSL_CONTEXT,
    )
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith("attachment; ")
    header, *rows = csv.reader(StringIO(response.content.decode("utf-8-sig"), newline=""))
    assert (header[:4], len(rows)) == (["when", "who", "kind", "what"], 9)
    assert {row[3] for row in rows} == {"chatbot.updated"}
    dangerous = ("=", "+", "-", "@", "\t", "\r", "＝")
    found = [cell for row in rows for cell in row if cell.lstrip(" ").startswith(dangerous)]
    assert sorted(found) == ["\tx", "+1", "-1"]  # text and numbers, which are no formulas
    assert f"'{ATTACK}" in {row[4] for row in rows}


def test_markup_is_escaped(team: Team) -> None:
    markup = '<img src=x onerror="alert(1)">'
    record(
        workspace_id=team.workspace.id,
        actor=SYSTEM,
        action="chatbot.updated",
        target_label=markup,
        details={markup: [markup, [markup]]},
    )
    page = login(team.alice).get(page_path(team.workspace, "audit")).content.decode()
    assert (page.count(markup), page.count("&lt;img")) == (0, 5)


def test_details_distinguish_changes_from_lists() -> None:
    assert describe_details({"role": ["member", "admin"]}) == "role: member → admin"
    assert describe_details({"scopes": ["chat", "read"]}) == "scopes: chat and read"
    assert (
        describe_details({"fields": ["email", "name", "status"]})
        == "fields: email, name and status"
    )
    assert describe_details({"name": ["", "x"], "version": 2}) == "name: none → x, version: 2"


@pytest.mark.parametrize("page", ["audit", "audit.csv"])
def test_log_requires_permission(team: Team, page: str) -> None:
    browsers = clients_by_role(team).items()
    found = {
        name: browser.get(page_path(team.workspace, page)).status_code for name, browser in browsers
    }
    assert found == {
        "owner": 200,
        "admin": 200,
        "member": 403,
        "viewer": 403,
        "outsider": 404,
        "anonymous": 302,
    }


def test_query_count_is_constant(team: Team, alice: Client) -> None:
    def add_entries(count: int) -> None:
        for _ in range(count):
            record(workspace_id=team.workspace.id, actor=SYSTEM, action="key.issued")

    first, last = count_queries_at_1_and_50_rows(
        alice, page_path(team.workspace, "audit"), add_entries
    )
    assert first == last
    assert AuditEntry.objects.filter(workspace=team.workspace).count() == 50
