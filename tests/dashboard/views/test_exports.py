"""Exports: requested from the list, downloaded, deleted."""

from __future__ import annotations

import csv
import json
from io import StringIO

import httpx
from django.test import Client

from apps.audit.models import AuditEntry
from apps.conversations.exports.services import MAX_UNFINISHED_EXPORTS
from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models.export import Export
from apps.core.ids import new_id
from tests.conversations.export_factory import make_export, make_pending_export, read_file
from tests.dashboard.page_client import (
    clients_by_role,
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.web_processes import SSL_CONTEXT, WebProcess

EXPORTS = "conversations/exports"


def test_export_uses_the_filters_of_the_list(team: Team, bob: Client) -> None:
    chatbot = make_chatbot(team.workspace, name="Support")
    query = {
        "chatbot_id": chatbot.id,
        "status": "failed",
        "has_lead": "no",
        "since": "2026-11-01",
        "until": "2026-11-30",
    }
    html = bob.get(page_path(team.workspace, "conversations"), query).content.decode()
    for name, value in query.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in html
    answer = bob.post(page_path(team.workspace, f"{EXPORTS}/ask"), {**query, "format": "jsonl"})
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        page_path(team.workspace, EXPORTS),
    )
    export = Export.objects.get(workspace=team.workspace)
    assert (export.format, export.filters, export.asked_by) == (
        "jsonl",
        {
            "chatbot_id": chatbot.id,
            "status": "failed",
            "has_lead": False,
            "since": "2026-11-01T00:00:00+00:00",
            "before": "2026-12-01T00:00:00+00:00",
        },
        team.bob.email,
    )
    entry = AuditEntry.objects.get(workspace=team.workspace, action="conversations.exported")
    assert (entry.actor_label, entry.target_id) == (team.bob.email, export.id)
    (row,) = table_cells(bob.get(page_path(team.workspace, EXPORTS)).content.decode())
    assert row[:5] == [
        "Support, status failed, without a lead, from 1 Nov 2026, to 30 Nov 2026",
        "JSON Lines",
        "Queued",
        "0",
        "0 bytes",
    ]


def test_page_reloads_until_exports_are_written(team: Team, bob: Client) -> None:
    complete_turn(make_running_turn(make_chatbot(team.workspace)))
    make_pending_export(team.workspace)
    page = page_path(team.workspace, EXPORTS)
    assert 'hx-trigger="every 2s' in bob.get(page).content.decode()
    write_pending_exports(max_seconds=60)
    html = bob.get(page).content.decode()
    assert ('hx-select="#exports"' in html, "Download" in visible_text(html)) == (False, True)
    assert table_cells(html)[0][:4] == ["All chatbots", "JSON Lines", "Completed", "2"]


def test_running_export_shows_progress(team: Team, bob: Client) -> None:
    export = make_pending_export(team.workspace)
    Export.objects.filter(pk=export.pk).update(
        status="running", conversations_total=200, conversations_done=50
    )
    html = bob.get(page_path(team.workspace, EXPORTS)).content.decode()
    assert '<progress max="100" value="25"' in html


def test_failed_export_shows_its_error(team: Team, bob: Client) -> None:
    export = make_pending_export(team.workspace)
    Export.objects.filter(pk=export.pk).update(
        status="failed", error="It is too large.", finished_at=export.created_at
    )
    (row,) = table_cells(bob.get(page_path(team.workspace, EXPORTS)).content.decode())
    assert (row[0], row[2]) == ("All chatbots It is too large.", "Failed")


def test_too_many_exports_are_rejected(team: Team, bob: Client) -> None:
    for _ in range(MAX_UNFINISHED_EXPORTS):
        make_pending_export(team.workspace)
    answer = bob.post(page_path(team.workspace, f"{EXPORTS}/ask"), {"format": "csv"}, follow=True)
    assert shown_messages(answer) == [
        "Wait for an export: 3 of this workspace are not finished yet."
    ]


def test_export_is_deleted(team: Team, bob: Client) -> None:
    export = make_export(team.workspace)
    url = page_path(team.workspace, f"{EXPORTS}/{export.id}/delete")
    answer = bob.post(url, follow=True)
    assert shown_messages(answer) == ["Export deleted."]
    assert "No exports yet" in visible_text(answer.content.decode())
    assert bob.post(url).status_code == 404


def test_completed_export_is_downloaded(web: WebProcess, live_team: Team) -> None:
    complete_turn(make_running_turn(make_chatbot(live_team.workspace), text="Hello"), "Hi")
    export = make_export(live_team.workspace)
    cookies = login(live_team.bob).cookies
    address = f"{web.url}{page_path(live_team.workspace, f'{EXPORTS}/{export.id}/download')}"
    header = {"Cookie": f"sessionid={cookies['sessionid'].value}"}
    answer = httpx.get(address, headers=header, verify=SSL_CONTEXT)
    assert [json.loads(line)["text"] for line in answer.text.splitlines()] == ["Hello", "Hi"]
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


def test_csv_for_people_begins_with_a_byte_order_mark(web: WebProcess, live_team: Team) -> None:
    answer = "- Jürgen\n- 山田"
    complete_turn(make_running_turn(make_chatbot(live_team.workspace), text="Hello"), answer)
    export = make_export(live_team.workspace, "csv")
    session = login(live_team.bob).cookies["sessionid"].value
    file = httpx.get(
        f"{web.url}{page_path(live_team.workspace, f'{EXPORTS}/{export.id}/download')}",
        headers={"Cookie": f"sessionid={session}"},
        verify=SSL_CONTEXT,
    )
    assert file.content == b"\xef\xbb\xbf" + read_file(export).encode()
    assert int(file.headers["Content-Length"]) == len(file.content)
    rows = csv.DictReader(StringIO(file.content.decode("utf-8-sig"), newline=""))
    assert [row["text"] for row in rows] == ["Hello", answer]


def test_unknown_export_is_not_found(team: Team, bob: Client) -> None:
    foreign, unfinished = make_export(team.other_workspace), make_pending_export(team.workspace)
    for export_id in (unfinished.id, foreign.id, new_id(), "nothing"):
        found = bob.get(page_path(team.workspace, f"{EXPORTS}/{export_id}/download"))
        assert found.status_code == 404
    for export_id in (foreign.id, new_id(), "nothing"):
        assert (
            bob.post(page_path(team.workspace, f"{EXPORTS}/{export_id}/delete")).status_code == 404
        )


def test_exporting_requires_permission(team: Team) -> None:
    export = make_export(team.workspace)
    expected = {
        "owner": (302, True),
        "admin": (302, True),
        "member": (302, True),
        "viewer": (403, False),
        "outsider": (404, False),
        "anonymous": (302, False),
    }
    for name, browser in clients_by_role(team).items():
        Export.objects.exclude(pk=export.pk).delete()
        shown = browser.get(page_path(team.workspace, "conversations")).content.decode()
        status = browser.post(
            page_path(team.workspace, f"{EXPORTS}/ask"), {"format": "csv"}
        ).status_code
        assert (status, "Export CSV" in shown) == expected[name], name
    viewer = clients_by_role(team)["viewer"]
    for page in (EXPORTS, f"{EXPORTS}/{export.id}/download"):
        assert viewer.get(page_path(team.workspace, page)).status_code == 403
    assert (
        viewer.post(page_path(team.workspace, f"{EXPORTS}/{export.id}/delete")).status_code == 403
    )


def test_query_count_is_constant(team: Team, bob: Client) -> None:
    def add(count: int) -> None:
        for _ in range(count):
            chatbot = make_chatbot(team.workspace)
            Export.objects.create(
                workspace=team.workspace,
                format="csv",
                asked_by="Bob",
                filters={"chatbot_id": chatbot.id},
            )

    first, second = count_queries_at_1_and_50_rows(bob, page_path(team.workspace, EXPORTS), add)
    assert first == second
