"""Credit usage of a workspace, as the dashboard's credits page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Sum

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.credits.models import EntryKind, LedgerEntry
from apps.knowledge.models import KnowledgeBase, Source


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
class EmbeddedFor:
    """The source, or the knowledge base whose model was changed, that an entry is for."""

    title: str
    is_source: bool


def embedded_by_reference(
    workspace_id: str, entries: Sequence[LedgerEntry]
) -> Mapping[str, EmbeddedFor]:
    """Return what was embedded by the reference of each entry. Deleted ones are left out."""
    ids = {entry.reference for entry in entries if entry.kind == EntryKind.EMBEDDING}
    if not ids:
        return {}
    rows = {"workspace_id": workspace_id, "id__in": ids, "deleted_at": None}
    sources = Source.objects.filter(**rows).values_list("id", "title")
    bases = KnowledgeBase.objects.filter(**rows).values_list("id", "name")
    return {id: EmbeddedFor(name, is_source=False) for id, name in bases} | {
        id: EmbeddedFor(title, is_source=True) for id, title in sources
    }


@dataclass(frozen=True, slots=True)
class UsageItem:
    """Turns of a chatbot, model or API key and the credits charged for them."""

    id: str
    name: str
    turns: int
    credits: int


@dataclass(frozen=True, slots=True)
class UsageBreakdown:
    """Usage by chatbot, by model and by API key, the most credits first.

    `embedding`: the credits charged for embedding sources, which no turn caused.
    """

    chatbots: list[UsageItem]
    models: list[UsageItem]
    keys: list[UsageItem]
    embedding: int

    @property
    def credits(self) -> int:
        return sum(use.credits for use in self.models)

    @property
    def turns(self) -> int:
        return sum(use.turns for use in self.models)


_USAGE = """
SELECT CASE WHEN grouping(chatbot_id) = 0 THEN 'chatbot'
            WHEN grouping(model_name) = 0 THEN 'model' ELSE 'key' END,
       coalesce(chatbot_id, model_name, api_key_id, ''), count(*), sum(credits_charged)
FROM conversations_turn
WHERE workspace_id = %(workspace)s AND created_at >= %(since)s
GROUP BY GROUPING SETS ((chatbot_id), (model_name), (api_key_id))
ORDER BY 4 DESC, 3 DESC, 2
"""


def usage_breakdown(workspace_id: str, *, since: datetime) -> UsageBreakdown:
    """Return the usage since a time, with four SQL statements and one scan of the turns."""
    groups: dict[str, list[tuple[str, int, int]]] = {"chatbot": [], "model": [], "key": []}
    with connection.cursor() as cursor:
        cursor.execute(_USAGE, {"workspace": workspace_id, "since": since})
        for group, id, turns, credits in cursor.fetchall():
            groups[group].append((id, turns, int(credits)))
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id)
    keys = ApiKey.objects.filter(workspace_id=workspace_id)
    names = dict(chatbots.values_list("id", "name")) | dict(keys.values_list("id", "name"))

    def items(group: str) -> list[UsageItem]:
        return [
            UsageItem(id, names.get(id, id or "Playground"), turns, credits)
            for id, turns, credits in groups[group]
        ]

    embeddings = LedgerEntry.objects.filter(
        workspace_id=workspace_id, kind=EntryKind.EMBEDDING, created_at__gte=since
    )
    embedding = -(embeddings.aggregate(credits=Sum("amount"))["credits"] or 0)
    return UsageBreakdown(items("chatbot"), items("model"), items("key"), embedding)
