"""Build the parts of an export's file: one line per message, with bounded memory."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.conversations.exports.queries import matching_conversations
from apps.conversations.models import Citation, Knowledge, Message, Role
from apps.conversations.models.export import Export, ExportFormat
from apps.conversations.schemas.sources import answer_sources
from apps.core.csv_text import csv_lines
from apps.core.json_text import dump_json

COLUMNS = {
    "conversationId": "conversation_id",
    "chatbotId": "conversation__chatbot_id",
    "chatbot": "conversation__chatbot__name",
    "messageId": "id",
    "turnId": "turn_id",
    "turnStatus": "turn__status",
    "role": "role",
    "text": "text",
    "createdAt": "created_at",
}
"""The columns of the file and their fields. Never the metadata, which belongs to the caller.

Lines of JSON also have `knowledge` and `sources`, as messages of the API do.
"""

BATCH_SIZE = 200
"""Conversations and messages that one query reads."""
MAX_PART_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is written: up to a message, or to the end of a conversation."""

    conversation_id: str
    message_at: datetime | None = None
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of the file, the position after them, and whether they are the last."""

    body: bytes
    position: Position
    conversations: int
    rows: int
    is_last: bool


def build_next_part(export: Export, *, max_rows: int) -> Part:
    """Return the lines after the export's position, with the header if they are the first.

    Holds about one mebibyte of text and 200 messages at most. Messages that are newer than the
    export are left out.
    """
    position = Position(
        export.after_conversation_id, export.after_message_at, export.after_message_id
    )
    header = _header(export) if export.parts == 0 else b""
    part = Part(header, position, 0, 0, is_last=False)
    while not part.is_last and part.rows < max_rows and len(part.body) < MAX_PART_BYTES:
        part = _extend(export, part, limit=min(BATCH_SIZE, max_rows))
    return part


def _extend(export: Export, part: Part, *, limit: int) -> Part:
    """Return the part with the next messages, of `limit` conversations at most."""
    position = part.position
    remaining = Q(id__gt=position.conversation_id)
    if position.message_at is not None:
        remaining |= Q(id=position.conversation_id)
    conversations = matching_conversations(export).filter(remaining)
    ids = list(conversations.values_list("id", flat=True)[:limit])
    rows = _messages(export, ids, position, limit)
    body = part.body + _encode(export, rows)
    if len(rows) == limit:
        last = rows[-1]
        after = Position(last["conversation_id"], last["created_at"], last["id"])
        finished = sum(1 for id in ids if id < after.conversation_id)
        is_last = False
    else:
        after = Position(ids[-1] if ids else position.conversation_id)
        finished = len(ids)
        is_last = len(ids) < limit
    return Part(body, after, part.conversations + finished, part.rows + len(rows), is_last)


def _messages(
    export: Export, conversation_ids: list[str], position: Position, limit: int
) -> list[dict[str, Any]]:
    messages = Message.objects.filter(
        workspace_id=export.workspace_id,
        conversation_id__in=conversation_ids,
        created_at__lte=export.created_at,
    )
    if position.message_at is not None:
        messages = messages.exclude(
            Q(conversation_id=position.conversation_id)
            & (
                Q(created_at__lt=position.message_at)
                | Q(created_at=position.message_at, id__lte=position.message_id)
            )
        )
    ordered = messages.order_by("conversation_id", "created_at", "id")
    return list(ordered.values(*COLUMNS.values(), "turn__knowledge")[:limit])


def _header(export: Export) -> bytes:
    return csv_lines([list(COLUMNS)]).encode() if export.format == ExportFormat.CSV else b""


def _encode(export: Export, rows: list[dict[str, Any]]) -> bytes:
    if export.format == ExportFormat.CSV:
        return csv_lines([list(_columns(row).values()) for row in rows]).encode()
    citations = _citations(export, rows)
    lines = [dump_json(_columns(row) | _knowledge(row, citations)) + "\n" for row in rows]
    return "".join(lines).encode()


def _is_answer_with_knowledge(row: Mapping[str, Any]) -> bool:
    return row["role"] == Role.ASSISTANT and bool(row["turn__knowledge"])


def _citations(export: Export, rows: list[dict[str, Any]]) -> Mapping[str, list[Citation]]:
    """The citations that the answers told, by the turn's id. Makes no query if there are none."""
    found: dict[str, list[Citation]] = defaultdict(list)
    answers = (row for row in rows if row["role"] == Role.ASSISTANT)
    turn_ids = [row["turn_id"] for row in answers if row["turn__knowledge"] == Knowledge.FOUND]
    if turn_ids:
        citations = Citation.objects.filter(workspace_id=export.workspace_id, turn_id__in=turn_ids)
        for citation in citations.order_by("turn_id", "number"):
            found[citation.turn_id].append(citation)
    return found


def _knowledge(
    row: Mapping[str, Any], citations: Mapping[str, list[Citation]]
) -> dict[str, object]:
    if not _is_answer_with_knowledge(row):
        return {"knowledge": None, "sources": []}
    sources = answer_sources(citations.get(row["turn_id"], []), row["text"])
    return {
        "knowledge": row["turn__knowledge"],
        "sources": [source.model_dump(by_alias=True) for source in sources],
    }


def _columns(row: Mapping[str, Any]) -> dict[str, str]:
    columns = {name: row[field] for name, field in COLUMNS.items()}
    return columns | {"createdAt": row["created_at"].isoformat(timespec="milliseconds")}
