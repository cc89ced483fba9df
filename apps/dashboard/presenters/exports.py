"""Rows of the exports page, with their filters as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.chatbots.models import Chatbot
from apps.conversations.models.export import UNFINISHED_STATUSES, Export, ExportStatus

_DAY = timedelta(days=1)
_FILTER_TEXTS = {
    "search": "“{}”",
    "status": "status {}",
    "source": "source {}",
    "rated": "rated {}",
}


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export, with a description of its filters."""

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
        """Progress of the file; None until the conversations are counted."""
        total = self.export.conversations_total
        if total is None:
            return None
        return 100 if total == 0 else min(100, 100 * self.export.conversations_done // total)


def export_rows(workspace_id: str, exports: Sequence[Export]) -> list[ExportRow]:
    """The exports with their descriptions, in one query."""
    ids = {export.filters.get("chatbot_id") for export in exports}
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id, id__in=ids - {None})
    names = dict(chatbots.values_list("id", "name"))
    return [ExportRow(export, describe_filters(export.filters, names)) for export in exports]


def describe_filters(filters: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Filters as text, such as `Support, status failed, from 1 Nov 2026`. `names` are by id."""
    chatbot_id = filters.get("chatbot_id")
    parts = [names.get(chatbot_id, "Deleted chatbot") if chatbot_id else "All chatbots"]
    parts += [text.format(filters[name]) for name, text in _FILTER_TEXTS.items() if name in filters]
    if "has_lead" in filters:
        parts.append("with a lead" if filters["has_lead"] else "without a lead")
    if since := filters.get("since"):
        parts.append(f"from {_format_day(datetime.fromisoformat(since))}")
    if before := filters.get("before"):
        time = datetime.fromisoformat(before)
        is_midnight = (time.hour, time.minute, time.second, time.microsecond) == (0,) * 4
        exact = f"before {time.day} {time:%b %Y, %H:%M}"
        parts.append(f"to {_format_day(time - _DAY)}" if is_midnight else exact)
    return ", ".join(parts)


def _format_day(time: datetime) -> str:
    text = f"{time.day} {time:%b %Y}"
    return text if (time.hour, time.minute) == (0, 0) else f"{text}, {time:%H:%M}"
