"""The lines of an export: one for each message, a bounded number at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.conversations.exports.models import Export, ExportFormat
from apps.conversations.exports.queries import matching_conversations
from apps.conversations.models import Message
from apps.core.csv_text import csv_lines

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
"""The file's columns, and where each comes from. Never the metadata: it is the caller's own."""

BATCH_SIZE = 200
"""Conversations that are looked through, and messages that are read, at a time."""
MAX_PART_BYTES = 1024 * 1024

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a file is written: behind a message, or behind a whole conversation."""

    conversation_id: str
    message_at: datetime | None = None
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines, the place behind them, and whether they are the last."""

    body: bytes
    position: Position
    conversations: int
    rows: int
    is_last: bool


def build_next_part(export: Export, *, max_rows: int) -> Part:
    """The lines behind the export's place, with the file's head if they are the first.

    Holds no more than about a mebibyte of text and 200 messages, whatever is exported. A message
    that was said after the export was asked for is not in it.
    """
    place = Position(export.after_conversation_id, export.after_message_at, export.after_message_id)
    head = _head(export) if export.parts == 0 else b""
    part = Part(head, place, 0, 0, is_last=False)
    while not part.is_last and part.rows < max_rows and len(part.body) < MAX_PART_BYTES:
        part = _longer(export, part, at_once=min(BATCH_SIZE, max_rows))
    return part


def _longer(export: Export, part: Part, *, at_once: int) -> Part:
    """The part with the next messages: those of some conversations, as far as they fit."""
    place = part.position
    following = Q(id__gt=place.conversation_id)
    if place.message_at is not None:
        following |= Q(id=place.conversation_id)
    ids = list(
        matching_conversations(export).filter(following).values_list("id", flat=True)[:at_once]
    )
    rows = _messages(export, ids, place, at_once)
    body = part.body + _written(export, rows)
    if len(rows) == at_once:
        last = rows[-1]
        behind = Position(last["conversation_id"], last["created_at"], last["id"])
        whole = sum(1 for id in ids if id < behind.conversation_id)
        is_last = False
    else:
        behind = Position(ids[-1] if ids else place.conversation_id)
        whole = len(ids)
        is_last = len(ids) < at_once
    return Part(body, behind, part.conversations + whole, part.rows + len(rows), is_last)


def _messages(
    export: Export, conversation_ids: list[str], place: Position, at_once: int
) -> list[dict[str, Any]]:
    found = Message.objects.filter(
        workspace_id=export.workspace_id,
        conversation_id__in=conversation_ids,
        created_at__lte=export.created_at,
    )
    if place.message_at is not None:
        found = found.exclude(
            Q(conversation_id=place.conversation_id)
            & (
                Q(created_at__lt=place.message_at)
                | Q(created_at=place.message_at, id__lte=place.message_id)
            )
        )
    ordered = found.order_by("conversation_id", "created_at", "id")
    return list(ordered.values(*COLUMNS.values())[:at_once])


def _head(export: Export) -> bytes:
    return csv_lines([list(COLUMNS)]).encode() if export.format == ExportFormat.CSV else b""


def _written(export: Export, rows: list[dict[str, Any]]) -> bytes:
    for row in rows:
        row["shown_at"] = row["created_at"].isoformat(timespec="milliseconds")
    if export.format == ExportFormat.CSV:
        return csv_lines([list(_line(row).values()) for row in rows]).encode()
    lines = [json.dumps(_line(row), ensure_ascii=False) + "\n" for row in rows]
    return "".join(lines).encode()


def _line(row: Row) -> dict[str, str]:
    found = {name: row[source] for name, source in COLUMNS.items()}
    return found | {"createdAt": row["shown_at"]}
