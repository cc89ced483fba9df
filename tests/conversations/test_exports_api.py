"""The REST endpoints of exports."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models.export import Export
from apps.core.ids import new_id
from tests.api_kit.rest_client import Api
from tests.conversations.export_factory import make_export, make_pending_export, read_file
from tests.factories import Team, make_api_key, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.web_processes import SSL_CONTEXT, WebProcess

PATH = "/conversation-exports"


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


def test_export_is_created_with_progress(api: Api, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    complete_turn(make_running_turn(chatbot))
    since = timezone.now() - timedelta(days=1)
    body = {"format": "csv", "chatbotId": chatbot.id, "from": since.isoformat(), "hasLead": False}
    made = api("POST", PATH, body, status=202)
    row = Export.objects.get(workspace=team.workspace)
    assert made == {
        "id": row.id,
        "format": "csv",
        "status": "pending",
        "filters": {"chatbotId": chatbot.id, "hasLead": False, "from": since.isoformat()},
        "progress": {"rows": 0, "conversationsDone": 0, "conversations": None},
        "bytes": 0,
        "error": None,
        "createdAt": made["createdAt"],
        "finishedAt": None,
        "expiresAt": made["expiresAt"],
    }
    write_pending_exports(max_seconds=60)
    done = api("GET", f"{PATH}/{row.id}")
    assert (done["status"], done["progress"], done["bytes"]) == (
        "completed",
        {"rows": 2, "conversationsDone": 1, "conversations": 1},
        len(read_file(row).encode()),
    )
    assert done["finishedAt"] is not None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["format"]),
        ({"format": "xlsx"}, ["format"]),
        ({"format": "csv", "from": "yesterday"}, ["from"]),
        ({"format": "csv", "to": "2026-01-01T00:00:00"}, ["to"]),
        ({"format": "csv", "status": "odd"}, ["status"]),
        ({"format": "csv", "hasLead": "yes"}, ["hasLead"]),
        ({"format": "csv", "search": ""}, ["search"]),
        ({"format": "csv", "chatbotId": "1"}, ["chatbotId"]),
        ({"format": "csv", "color": "red"}, ["color"]),
    ],
)
def test_invalid_export_is_rejected(api: Api, body: object, fields: list[str]) -> None:
    refused = api("POST", PATH, body, status=400)
    assert (refused["code"], list(refused["details"])) == ("VALIDATION_ERROR", fields)


def test_foreign_chatbots_and_exports_are_not_found(api: Api, team: Team) -> None:
    body = {"format": "csv", "chatbotId": make_chatbot(team.other_workspace).id}
    assert api("POST", PATH, body, status=404)["code"] == "CHATBOT_NOT_FOUND"
    for export_id in (make_export(team.other_workspace).id, new_id()):
        for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
            response = api(method, f"{PATH}/{export_id}{path}", status=404)
            assert response["code"] == "EXPORT_NOT_FOUND"


def test_fourth_unfinished_export_is_rejected(api: Api) -> None:
    for _ in range(3):
        api("POST", PATH, {"format": "csv"}, status=202)
    assert api("POST", PATH, {"format": "csv"}, status=409)["code"] == "TOO_MANY_EXPORTS"


def test_exports_are_paginated_newest_first(api: Api, team: Team) -> None:
    made = [make_export(team.workspace).id for _ in range(3)]
    make_export(team.other_workspace)
    first = api("GET", PATH, limit=2)
    second = api("GET", PATH, limit=2, cursor=first["nextCursor"])
    ids = [export["id"] for page in (first, second) for export in page["exports"]]
    assert (ids, second["nextCursor"]) == (made[::-1], None)


def test_delete_export_requires_manage_scope(api: Api, team: Team) -> None:
    export = make_pending_export(team.workspace)
    reader = Api(team.workspace, "read")
    assert reader("DELETE", f"{PATH}/{export.id}", status=403)["code"] == "SCOPE_MISSING"
    assert api("DELETE", f"{PATH}/{export.id}") == {"id": export.id, "deleted": True}
    assert api("GET", f"{PATH}/{export.id}", status=404)["code"] == "EXPORT_NOT_FOUND"


def test_unfinished_export_cannot_be_downloaded(api: Api, team: Team) -> None:
    export = make_pending_export(team.workspace)
    refused = api("GET", f"{PATH}/{export.id}/download", status=409)
    assert refused["code"] == "EXPORT_NOT_READY"


@pytest.mark.parametrize(
    ("file_format", "content_type"),
    [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl; charset=utf-8")],
)
def test_completed_file_is_downloaded(
    web: WebProcess, live_team: Team, file_format: str, content_type: str
) -> None:
    chatbot = make_chatbot(live_team.workspace)
    complete_turn(make_running_turn(chatbot, text="Grüße"), "Hi")
    export = make_export(live_team.workspace, file_format)
    answer = httpx.get(
        f"{web.url}/api/v1{PATH}/{export.id}/download",
        headers={"Authorization": f"Bearer {make_api_key(live_team.workspace, ['read'])}"},
        verify=SSL_CONTEXT,
    )
    assert (answer.status_code, answer.text) == (200, read_file(export))
    day = export.created_at.date().isoformat()
    assert {name: answer.headers[name] for name in ("Content-Type", "Content-Disposition")} == {
        "Content-Type": content_type,
        "Content-Disposition": f'attachment; filename="conversations-{day}.{file_format}"',
    }
    assert int(answer.headers["Content-Length"]) == export.size
    assert answer.headers["X-RateLimit-Limit"] == "1000"
