"""What is in an export file, and which exports there may be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from apps.audit.queries import entries_for
from apps.audit.services import SYSTEM
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ExportNotFound, TooManyExports
from apps.conversations.exports.parts import COLUMNS
from apps.conversations.exports.queries import get_export
from apps.conversations.exports.services import (
    MAX_EXPORTS,
    MAX_UNFINISHED_EXPORTS,
    ExportFilters,
    delete_expired_exports,
    delete_export,
)
from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models import Conversation, Turn
from apps.conversations.models.export import Export, ExportPart
from tests.conversations.citation_factory import make_citation
from tests.conversations.export_factory import (
    make_conversation,
    make_export,
    make_pending_export,
    message_texts,
    parse_file,
    read_file,
)
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_file_has_one_line_per_message_in_order(team: Team, file_format: str) -> None:
    chatbot = make_chatbot(team.workspace, name="Support")
    first = make_conversation(chatbot, "One", "Eins")
    second = make_conversation(chatbot, "Two", "Zwei")
    complete_turn(
        make_running_turn(chatbot, conversation_id=first.id, text="Three"), "Drei\nund mehr"
    )
    make_conversation(make_chatbot(team.other_workspace), "Of others")
    export = make_export(team.workspace, file_format)
    rows = parse_file(export)
    assert [(row["conversationId"], row["role"], row["text"]) for row in rows] == [
        (first.id, "user", "One"),
        (first.id, "assistant", "Eins"),
        (first.id, "user", "Three"),
        (first.id, "assistant", "Drei\nund mehr"),
        (second.id, "user", "Two"),
        (second.id, "assistant", "Zwei"),
    ]
    turn = second.turns.get()
    message = turn.messages.get(role="assistant")
    knowledge: dict[str, Any] = {} if file_format == "csv" else {"knowledge": None, "sources": []}
    assert rows[-1] == {
        "conversationId": second.id,
        "chatbotId": chatbot.id,
        "chatbot": "Support",
        "messageId": message.id,
        "turnId": turn.id,
        "turnStatus": "completed",
        "role": "assistant",
        "text": "Zwei",
        "createdAt": message.created_at.isoformat(timespec="milliseconds"),
        **knowledge,
    }
    assert list(rows[0]) == [*COLUMNS, *knowledge]
    assert (export.status, export.rows, export.size) == (
        "completed",
        6,
        len(read_file(export).encode()),
    )
    assert (export.conversations_done, export.conversations_total) == (2, 2)


def test_answer_of_a_json_file_has_its_sources(team: Team) -> None:
    conversation = make_conversation(make_chatbot(team.workspace), "When?", "On Mondays [2].")
    turn = conversation.turns.get()
    Turn.objects.filter(id=turn.id).update(knowledge="found")
    shown = {"title": "Shipping", "url": "https://shop.example/shipping", "page": 3}
    first = make_citation(turn, text="We ship to Norway.")
    second = make_citation(turn, number=2, text="We ship on Mondays.", **shown)
    make_conversation(make_chatbot(team.workspace), "Other", "Answer")
    export = make_export(team.workspace, "jsonl")
    question, answer, *others = parse_file(export)
    assert (question["knowledge"], question["sources"]) == (None, [])
    assert answer["knowledge"] == "found"
    assert answer["sources"] == [
        {
            "number": 1,
            "sourceId": first.source_id,
            "title": "",
            "url": None,
            "page": None,
            "quote": "We ship to Norway.",
            "cited": False,
        },
        {
            "number": 2,
            "sourceId": second.source_id,
            **shown,
            "quote": "We ship on Mondays.",
            "cited": True,
        },
    ]
    assert [(row["knowledge"], row["sources"]) for row in others] == [(None, [])] * 2


def test_json_line_with_other_line_breaks_is_one_line(team: Team) -> None:
    text, answer = "a\x85b\u2028c", "é\u2029\x0b\x0c\x1c\r\nd"
    make_conversation(make_chatbot(team.workspace), text, answer)
    export = make_export(team.workspace, "jsonl")
    assert message_texts(export) == [text, answer]
    assert read_file(export).count("é") == 1


@pytest.mark.parametrize(
    ("file_format", "text"), [("csv", ",".join(COLUMNS) + "\r\n"), ("jsonl", "")]
)
def test_export_without_matches_has_no_rows(team: Team, file_format: str, text: str) -> None:
    export = make_export(team.workspace, file_format)
    assert (export.status, export.rows, read_file(export)) == ("completed", 0, text)


def test_formulas_are_escaped_and_metadata_left_out(team: Team) -> None:
    make_conversation(make_chatbot(team.workspace, name="=bot"), "=HYPERLINK(1)", "@SUM")
    export = make_export(team.workspace, "csv")
    assert message_texts(export) == ["'=HYPERLINK(1)", "'@SUM"]
    assert {row["chatbot"] for row in parse_file(export)} == {"'=bot"}
    assert "a person" not in read_file(export)


def test_export_filters_by_chatbot_and_time(team: Team) -> None:
    chatbot, other = make_chatbot(team.workspace), make_chatbot(team.workspace)
    now = timezone.now()
    for days, bot, text in ((3, chatbot, "old"), (2, chatbot, "new"), (2, other, "other")):
        conversation = make_conversation(bot, text, "")
        Conversation.objects.filter(pk=conversation.pk).update(
            last_message_at=now - timedelta(days=days)
        )
    filters = ExportFilters(since=now - timedelta(days=2), before=now - timedelta(days=1))
    assert message_texts(make_export(team.workspace, filters=filters)) == ["new", "other"]
    filters = ExportFilters(chatbot_id=chatbot.id, before=now - timedelta(days=2))
    assert message_texts(make_export(team.workspace, filters=filters)) == ["old"]
    assert message_texts(
        make_export(team.workspace, filters=ExportFilters(chatbot_id=other.id))
    ) == ["other"]


def test_export_filters_match_those_of_the_list(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    make_conversation(chatbot, "fine", "")
    fail_turn(make_running_turn(chatbot, text="broken"))
    shop = make_running_turn(chatbot, text="from the shop", metadata={"source": "shop"})
    complete_turn(shop, "")

    def exported(**filters: Any) -> list[str]:
        return message_texts(make_export(team.workspace, filters=ExportFilters(**filters)))

    assert exported(status="failed") == ["broken"]
    assert exported(status="completed") == ["fine", "from the shop"]
    assert exported(source="shop") == ["from the shop"]
    assert exported(search=shop.id) == ["from the shop"]
    assert exported(has_lead=True) == exported(rated="up") == []
    assert len(exported(has_lead=False)) == len(exported(rated="none")) == 3


def test_later_messages_are_not_exported(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    conversation = make_conversation(chatbot, "before", "")
    export = make_pending_export(team.workspace)
    complete_turn(make_running_turn(chatbot, conversation_id=conversation.id, text="after"))
    make_conversation(chatbot, "new")
    write_pending_exports(max_seconds=60)
    assert message_texts(export) == ["before"]


def test_pending_and_stored_exports_are_limited(team: Team) -> None:
    for _ in range(MAX_UNFINISHED_EXPORTS):
        make_pending_export(team.workspace)
    with pytest.raises(TooManyExports, match="not finished"):
        make_pending_export(team.workspace)
    write_pending_exports(max_seconds=60)
    for _ in range(MAX_EXPORTS - MAX_UNFINISHED_EXPORTS):
        make_export(team.workspace)
    with pytest.raises(TooManyExports, match="keeps"):
        make_pending_export(team.workspace)
    make_pending_export(team.other_workspace)


def test_export_of_foreign_chatbot_is_not_found(team: Team) -> None:
    with pytest.raises(ChatbotNotFound):
        make_pending_export(
            team.workspace, filters=ExportFilters(chatbot_id=make_chatbot(team.other_workspace).id)
        )


def test_delete_removes_parts_and_is_audited(team: Team) -> None:
    export = make_export(team.workspace, filters=ExportFilters(since=timezone.now()))
    delete_export(export=export, actor=SYSTEM)
    with pytest.raises(ExportNotFound):
        get_export(team.workspace.id, export.id)
    assert ExportPart.objects.filter(export_id=export.id).exists() is False
    actions = [(entry.action, entry.target_id) for entry in entries_for(team.workspace.id)[:2]]
    assert actions == [("export.deleted", export.id), ("conversations.exported", export.id)]
    request_entry = entries_for(team.workspace.id)[1]
    assert request_entry.details == {"format": "jsonl", "since": export.filters["since"]}


def test_expired_exports_are_deleted(team: Team, settings: Settings) -> None:
    old, new = make_export(team.workspace), make_export(team.workspace)
    past = timezone.now() - timedelta(days=settings.EXPORT_KEPT_DAYS)
    Export.objects.filter(pk=old.pk).update(created_at=past)
    assert delete_expired_exports() == 1
    assert list(Export.objects.filter(workspace=team.workspace)) == [new]


def test_part_of_an_export_stays_in_its_workspace(team: Team) -> None:
    export = make_export(team.workspace)

    def insert_foreign_part() -> None:
        with transaction.atomic():
            ExportPart.objects.create(
                workspace=team.other_workspace, export=export, number=9, body=b""
            )
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        insert_foreign_part()
