"""Exports requested over HTTP and written by real workers, which may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import httpx

from apps.chatbots.models import Chatbot
from apps.conversations.models import Message
from apps.conversations.models.export import Export
from apps.conversations.seeding import SeedSize, SeedWorkspace, seed_conversations
from apps.workspaces.models import Workspace
from tests.e2e.database_state import wait_until
from tests.factories import Team, make_api_key, make_chatbot
from tests.web_processes import SSL_CONTEXT, WebProcess, start_worker

CONVERSATIONS, TURNS = 3_000, 2


def seed_workspace(workspace: Workspace) -> None:
    chatbot = Chatbot.objects.select_related("language_model").get(id=make_chatbot(workspace).id)
    size = SeedSize(conversations=CONVERSATIONS, turns=TURNS, days=1)
    seed_conversations(workspaces=[SeedWorkspace(workspace.id, [chatbot])], size=size)


class ExportClient:
    """A client of the exports API."""

    def __init__(self, web: WebProcess, workspace: Workspace) -> None:
        self.root = f"{web.url}/api/v1/conversation-exports"
        self.headers = {"Authorization": f"Bearer {make_api_key(workspace, ['read'])}"}

    def create(self) -> str:
        response = httpx.post(
            self.root,
            json={"format": "jsonl"},
            headers=self.headers,
            timeout=30,
            verify=SSL_CONTEXT,
        )
        assert response.status_code == 202
        return str(response.json()["data"]["id"])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(
            f"{self.root}/{path}", headers=self.headers, timeout=60, verify=SSL_CONTEXT
        ).raise_for_status()

    def status(self, export_id: str) -> str:
        return str(self.get(export_id).json()["data"]["status"])


def test_export_is_written_by_the_worker(web: WebProcess, live_team: Team, tmp_path: Path) -> None:
    seed_workspace(live_team.workspace)
    api = ExportClient(web, live_team.workspace)
    with start_worker(tmp_path):
        export_id = api.create()
        wait_until(lambda: api.status(export_id) == "completed", seconds=60)
    assert_complete(api, export_id, live_team.workspace)


def test_export_of_a_killed_worker_is_continued(
    web: WebProcess, live_team: Team, tmp_path: Path
) -> None:
    """Small parts make the export slow enough for two workers to be killed."""
    seed_workspace(live_team.workspace)
    api = ExportClient(web, live_team.workspace)
    export_id = api.create()
    for min_parts in (10, 100):
        with start_worker(tmp_path, EXPORT_PART_ROWS=20, EXPORT_CLAIM_SECONDS=1) as worker:
            wait_until(partial(has_parts, export_id, min_parts), seconds=60)
            kill(worker)
        assert api.status(export_id) == "running"
    with start_worker(tmp_path, EXPORT_CLAIM_SECONDS=1):
        wait_until(lambda: api.status(export_id) == "completed", seconds=60)
    assert_complete(api, export_id, live_team.workspace)


def has_parts(export_id: str, min_parts: int) -> bool:
    return Export.objects.get(id=export_id).parts >= min_parts


def kill(worker: subprocess.Popen[bytes]) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def assert_complete(api: ExportClient, export_id: str, workspace: Workspace) -> None:
    """Each message of the workspace is in the file once, and the progress is correct."""
    file = api.get(f"{export_id}/download")
    ids = [json.loads(line)["messageId"] for line in file.text.splitlines()]
    found = Message.objects.filter(workspace=workspace).order_by(
        "conversation_id", "created_at", "id"
    )
    assert ids == list(found.values_list("id", flat=True))
    assert len(ids) == 2 * TURNS * CONVERSATIONS
    export = api.get(export_id).json()["data"]
    assert export["progress"] == {
        "rows": len(ids),
        "conversationsDone": CONVERSATIONS,
        "conversations": CONVERSATIONS,
    }
    assert export["bytes"] == len(file.content)
