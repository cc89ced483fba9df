"""Aggregate turns by day, chatbot, language model or API key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn

MAX_DAYS = 92
MAX_GROUPS = 1000


class GroupBy(StrEnum):
    """What turns are grouped by."""

    DAY = "day"
    CHATBOT = "chatbot"
    LANGUAGE_MODEL = "languageModel"
    API_KEY = "apiKey"


_GROUP_EXPRESSIONS: dict[GroupBy, Any] = {
    GroupBy.DAY: TruncDate("created_at", tzinfo=UTC),
    GroupBy.CHATBOT: F("chatbot_id"),
    GroupBy.LANGUAGE_MODEL: F("model_name"),
    GroupBy.API_KEY: F("api_key_id"),
}
_FIGURES: dict[str, Any] = {
    "turns": Count("id"),
    "credits": Coalesce(Sum("credits_charged"), 0),
    "input_tokens": Coalesce(Sum("input_tokens"), 0),
    "output_tokens": Coalesce(Sum("output_tokens"), 0),
}


@dataclass(frozen=True, slots=True)
class UsageFigures:
    """The number of turns, the credits charged for them and their tokens."""

    turns: int = 0
    credits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """The figures of one group: a day, a chatbot id, an API key id or a model name.

    `group` is None for turns without an API key or with a deleted one. `name` is the name of the
    chatbot or the API key.
    """

    group: str | None
    name: str | None
    figures: UsageFigures


@dataclass(frozen=True, slots=True)
class Usage:
    """The figures of whole UTC days from `since` to `until`, inclusive, in total and by group."""

    since: date
    until: date
    total: UsageFigures
    groups: list[UsageGroup]


def usage_for(workspace_id: str, *, until: date, days: int, by: GroupBy) -> Usage:
    """Return the usage of a number of days up to and including `until`.

    Days are in order, including empty ones. Other groups are ordered by credits, the most first,
    and limited to 1,000.
    """
    since = date.fromordinal(max(1, until.toordinal() - days + 1))
    turns = _turns(workspace_id, since, until)
    total = _figures(turns.aggregate(**_FIGURES))
    rows: Any = turns.annotate(group=_GROUP_EXPRESSIONS[by]).values("group").annotate(**_FIGURES)
    if by == GroupBy.DAY:
        by_day = {row["group"]: _figures(row) for row in rows}
        count = until.toordinal() - since.toordinal() + 1
        dates = [since + timedelta(days=n) for n in range(count)]
        groups = [
            UsageGroup(day.isoformat(), None, by_day.get(day, UsageFigures())) for day in dates
        ]
    else:
        top = list(rows.order_by("-credits", "-turns", "group")[:MAX_GROUPS])
        names = _names(workspace_id, by, [row["group"] for row in top])
        groups = [UsageGroup(row["group"], names.get(row["group"]), _figures(row)) for row in top]
    return Usage(since, until, total, groups)


def _figures(row: Mapping[str, Any]) -> UsageFigures:
    return UsageFigures(**{name: row[name] for name in _FIGURES})


def _turns(workspace_id: str, since: date, until: date) -> QuerySet[Turn]:
    turns = Turn.objects.filter(
        workspace_id=workspace_id, created_at__gte=datetime.combine(since, time(), UTC)
    )
    if until < date.max:
        after = datetime.combine(until + timedelta(days=1), time(), UTC)
        turns = turns.filter(created_at__lt=after)
    return turns


def _names(workspace_id: str, by: GroupBy, ids: list[str | None]) -> dict[str | None, str]:
    if by == GroupBy.CHATBOT:
        chatbots = Chatbot.objects.filter(workspace_id=workspace_id, id__in=ids)
        return dict(chatbots.values_list("id", "name"))
    if by == GroupBy.API_KEY:
        keys = ApiKey.objects.filter(workspace_id=workspace_id, id__in=ids)
        return dict(keys.values_list("id", "name"))
    return {}
