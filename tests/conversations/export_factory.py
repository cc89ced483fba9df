"""Exports for tests, created and written by the product's own services."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.exports.services import ExportFilters, request_export
from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models import Conversation
from apps.conversations.models.export import Export, ExportPart
from apps.workspaces.models import Workspace
from tests.turns.turn_factory import complete_turn, make_running_turn


def make_pending_export(
    workspace: Workspace, file_format: str = "jsonl", filters: ExportFilters | None = None
) -> Export:
    """An export that no worker has started to write."""
    return request_export(
        workspace_id=workspace.id,
        file_format=file_format,
        filters=filters or ExportFilters(),
        actor=SYSTEM,
    )


def make_export(
    workspace: Workspace, file_format: str = "jsonl", filters: ExportFilters | None = None
) -> Export:
    """A completed export."""
    export = make_pending_export(workspace, file_format, filters)
    write_pending_exports(max_seconds=60)
    export.refresh_from_db()
    return export


def read_file(export: Export) -> str:
    """The content of the file written so far."""
    parts = ExportPart.objects.filter(export=export).order_by("number")
    return b"".join(bytes(body) for body in parts.values_list("body", flat=True)).decode()


def make_conversation(chatbot: Chatbot, text: str = "Hello", answer: str = "Hi") -> Conversation:
    turn = make_running_turn(chatbot, text=text, metadata={"userId": "a person"})
    complete_turn(turn, answer)
    return turn.conversation


def parse_file(export: Export) -> list[dict[str, Any]]:
    """The rows of a file."""
    text = read_file(export)
    if export.format == "csv":
        return list(csv.DictReader(StringIO(text, newline="")))
    return [json.loads(line) for line in text.splitlines()]


def message_texts(export: Export) -> list[str]:
    return [row["text"] for row in parse_file(export)]
