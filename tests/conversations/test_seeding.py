"""`seed_load` inserts readable conversations with a consistent ledger."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.queries import messages_in
from apps.core.ids import is_id
from apps.credits.models import LedgerEntry
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.workspaces.models import Workspace


def test_seed_load_creates_consistent_rows(committed: None) -> None:
    out = StringIO()
    size = ["--workspaces", "2", "--chatbots", "3", "--conversations", "25", "--turns", "2"]
    call_command("seed_load", *size, "--json", stdout=out)
    output = json.loads(out.getvalue())
    assert {name: output[name] for name in ("chatbots", "conversations", "turns", "messages")} == {
        "chatbots": 6,
        "conversations": 25,
        "turns": 50,
        "messages": 100,
    }
    first = Workspace.objects.get(slug=output["workspace"])
    second = Workspace.objects.get(slug=output["workspace"][:-1] + "1")
    for workspace, conversations in ((first, 13), (second, 12)):
        rows = Conversation.objects.filter(workspace=workspace)
        assert rows.count() == conversations
        assert rows.exclude(chatbot__workspace=workspace).count() == 0
        assert rows.values("chatbot").distinct().count() == 3
        turns = Turn.objects.filter(workspace=workspace)
        assert turns.count() == 2 * conversations
        assert turns.exclude(chatbot_id=F("conversation__chatbot_id")).count() == 0
        assert balance_for(workspace.id) == Balance(ledger_sum(workspace.id), 0)
        ledger = LedgerEntry.objects.filter(workspace=workspace).order_by("created_at", "id")
        balances = list(ledger.values_list("balance_after", flat=True))
        assert balances == sorted(balances, reverse=True)
        assert balances[-1] == balance_for(workspace.id).balance
        assert len(balances) == 1 + 2 * conversations


def test_seeded_messages_are_in_order(committed: None) -> None:
    out = StringIO()
    call_command("seed_load", "--conversations", "2", "--turns", "2", "--json", stdout=out)
    chatbot = Chatbot.objects.get(id=json.loads(out.getvalue())["chatbot_id"])
    newest = Conversation.objects.filter(chatbot=chatbot).order_by("-last_message_at")[0]
    messages = list(messages_in(newest).select_related("turn"))
    assert [message.role for message in messages] == ["user", "assistant"] * 2
    assert [message.turn.message_id for message in messages[1::2]] == [
        message.id for message in messages[1::2]
    ]
    assert newest.last_message_at == messages[2].created_at
    all_rows = [newest, *messages, *Turn.objects.filter(conversation=newest)]
    assert [row.pk for row in all_rows if not is_id(row.pk)] == []
    assert Message.objects.filter(workspace_id=chatbot.workspace_id).count() == 8


def test_seed_load_rejects_zero(db: None) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("seed_load", "--conversations", "0")
