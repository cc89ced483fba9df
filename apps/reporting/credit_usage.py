"""A workspace's credits as the dashboard shows them: the statement, and what they went into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.credits.models import LedgerEntry


def conversation_ids_by_turn(
    workspace_id: str, entries: Sequence[LedgerEntry]
) -> Mapping[str, tuple[str, str]]:
    """Return the (conversation id, chatbot name) of each charged turn, by turn id.

    Turns of deleted conversations are left out.
    """
    turn_ids = [entry.turn_id for entry in entries if entry.turn_id]
    turns = Turn.objects.filter(
        workspace_id=workspace_id, id__in=turn_ids, conversation__deleted_at__isnull=True
    )
    rows = turns.values_list("id", "conversation_id", "chatbot__name")
    return {turn_id: (conversation_id, chatbot) for turn_id, conversation_id, chatbot in rows}


@dataclass(frozen=True, slots=True)
class UsageItem:
    """What something was used for: settled or running turns, and the credits charged for them."""

    id: str
    name: str
    turns: int
    credits: int


@dataclass(frozen=True, slots=True)
class UsageBreakdown:
    """The use in a period, by chatbot, by model and by key; the dearest first."""

    chatbots: list[UsageItem]
    models: list[UsageItem]
    keys: list[UsageItem]

    @property
    def credits(self) -> int:
        return sum(use.credits for use in self.models)

    @property
    def turns(self) -> int:
        return sum(use.turns for use in self.models)


_USE = """
SELECT CASE WHEN grouping(chatbot_id) = 0 THEN 'chatbot'
            WHEN grouping(model_name) = 0 THEN 'model' ELSE 'key' END,
       coalesce(chatbot_id, model_name, api_key_id, ''), count(*), sum(credits_charged)
FROM conversations_turn
WHERE workspace_id = %(workspace)s AND created_at >= %(since)s
GROUP BY GROUPING SETS ((chatbot_id), (model_name), (api_key_id))
ORDER BY 4 DESC, 3 DESC, 2
"""


def usage_breakdown(workspace_id: str, *, since: datetime) -> UsageBreakdown:
    """What the turns since then were charged: three statements, one walk over the turns."""
    found: dict[str, list[tuple[str, int, int]]] = {"chatbot": [], "model": [], "key": []}
    with connection.cursor() as cursor:
        cursor.execute(_USE, {"workspace": workspace_id, "since": since})
        for by, id, turns, credits in cursor.fetchall():
            found[by].append((id, turns, int(credits)))
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id)
    keys = ApiKey.objects.filter(workspace_id=workspace_id)
    names = dict(chatbots.values_list("id", "name")) | dict(keys.values_list("id", "name"))
    no_key = "Playground"

    def named(by: str) -> list[UsageItem]:
        return [UsageItem(id, names.get(id, id or no_key), *amounts) for id, *amounts in found[by]]

    return UsageBreakdown(named("chatbot"), named("model"), named("key"))
