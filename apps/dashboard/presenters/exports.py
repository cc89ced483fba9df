"""Exports of conversations as the dashboard shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.chatbots.models import Chatbot
from apps.conversations.exports.models import UNFINISHED_STATUSES, Export, ExportStatus

_DAY = timedelta(days=1)
_FILTER_TEXTS = {
    "search": "“{}”",
    "status": "status {}",
    "source": "source {}",
    "rated": "rated {}",
}


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export in the list, with what it is of in words."""

    export: Export
    description: str

    @property
    def is_unfinished(self) -> bool:
        return self.export.status in UNFINISHED_STATUSES

    @property
    def is_completed(self) -> bool:
        return self.export.status == ExportStatus.COMPLETED

    @property
    def percent(self) -> int | None:
        """How much of it is written; None until its conversations are counted."""
        total = self.export.conversations_total
        if total is None:
            return None
        return 100 if total == 0 else min(100, 100 * self.export.conversations_done // total)


def export_rows(workspace_id: str, exports: Sequence[Export]) -> list[ExportRow]:
    """The rows of a page: one statement more, however many."""
    ids = {export.filters.get("chatbot_id") for export in exports}
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id, id__in=ids - {None})
    names = dict(chatbots.values_list("id", "name"))
    return [ExportRow(export, describe_filters(export.filters, names)) for export in exports]


def describe_filters(filters: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Which conversations: those of a chatbot, with their last message on some days, and so on."""
    chatbot_id = filters.get("chatbot_id")
    words = [names.get(chatbot_id, "Deleted chatbot") if chatbot_id else "All chatbots"]
    words += [say.format(filters[name]) for name, say in _FILTER_TEXTS.items() if name in filters]
    if "has_lead" in filters:
        words.append("with a lead" if filters["has_lead"] else "without a lead")
    if since := filters.get("since"):
        words.append(f"from {_day(datetime.fromisoformat(since))}")
    if before := filters.get("before"):
        moment = datetime.fromisoformat(before)
        is_whole_day = (moment.hour, moment.minute, moment.second, moment.microsecond) == (0,) * 4
        words.append(f"to {_day(moment - _DAY)}" if is_whole_day else f"before {_moment(moment)}")
    return ", ".join(words)


def _day(moment: datetime) -> str:
    text = f"{moment.day} {moment:%b %Y}"
    return text if (moment.hour, moment.minute) == (0, 0) else f"{text}, {moment:%H:%M}"


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y, %H:%M}"
