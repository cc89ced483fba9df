"""Differences between two versions of a chatbot: changed settings and a diff of the prompt."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from apps.chatbots.models import Chatbot, ChatbotVersion, KnowledgeMode, LeadCapture
from apps.chatbots.services import VERSIONED_FIELDS
from apps.dashboard.forms.chatbots import ChatbotForm

DiffKind = Literal["same", "removed", "added"]
RATE_LIMIT_LABELS = {
    "rate_limit_requests": "Rate limit (requests)",
    "rate_limit_window_seconds": "Rate limit (seconds)",
}
MAX_DIFF_LINE_LENGTH = 2_000
"""Characters. Longer lines are not compared word by word."""

_WORD = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


@dataclass(frozen=True, slots=True)
class DiffPart:
    """Consecutive words of a line that are the same, removed or added."""

    kind: DiffKind
    text: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of both versions, or of one of them."""

    kind: DiffKind
    parts: list[DiffPart]


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting with different values. `lines` is the diff of a system prompt."""

    label: str
    before: str
    after: str
    lines: list[DiffLine]


def setting_label(setting: str) -> str:
    """The setting's label in the chatbot form, longer where that needs its section."""
    if setting in RATE_LIMIT_LABELS:
        return RATE_LIMIT_LABELS[setting]
    field = ChatbotForm.base_fields.get(setting.removesuffix("_id"))
    if field is None:  # a setting of another page
        return str(Chatbot._meta.get_field(setting).verbose_name).capitalize()  # type: ignore[union-attr]
    return str(field.label)


def changed_settings(older: ChatbotVersion, newer: ChatbotVersion) -> list[SettingChange]:
    """The settings that differ, in the order of the chatbot form."""
    return [
        SettingChange(setting_label(name), before, after, _lines(name, before, after))
        for name in VERSIONED_FIELDS
        if older.snapshot.get(name) != newer.snapshot.get(name)
        for before, after in [(_format_value(name, older), _format_value(name, newer))]
    ]


def _format_value(name: str, version: ChatbotVersion) -> str:
    value: Any = version.snapshot.get(name)
    match name, value:
        case "language_model_id", _:
            return str(version.snapshot.get("language_model") or value)
        case "lead_capture", str() if value in LeadCapture.values:
            return str(LeadCapture(value).label)
        case "knowledge_mode", str() if value in KnowledgeMode.values:
            return str(KnowledgeMode(value).label)
        case _, bool():
            return "yes" if value else "no"
        case _, int():
            return f"{value:,}"
    return "" if value is None else str(value)


def _lines(name: str, before: str, after: str) -> list[DiffLine]:
    return list(diff_lines(before, after)) if name == "system_prompt" else []


def diff_lines(before: str, after: str) -> Iterator[DiffLine]:
    """Diff two texts by line, and changed lines by word."""
    old, new = before.splitlines(), after.splitlines()
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (DiffLine("same", [DiffPart("same", text)]) for text in old[i:j])
        else:
            yield from _diff_replaced(old[i:j], new[k:m])


def _diff_replaced(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    """Diff lines that replaced others: first the removed lines, then the added ones."""
    pairs = [_diff_words(a, b) for a, b in zip(old, new, strict=False)]
    paired = len(pairs)
    yield from (DiffLine("removed", parts) for parts, _ in pairs)
    yield from (_whole_line("removed", text) for text in old[paired:])
    yield from (DiffLine("added", parts) for _, parts in pairs)
    yield from (_whole_line("added", text) for text in new[paired:])


def _whole_line(kind: DiffKind, text: str) -> DiffLine:
    return DiffLine(kind, [DiffPart(kind, text)] if text else [])


def _diff_words(before: str, after: str) -> tuple[list[DiffPart], list[DiffPart]]:
    if max(len(before), len(after)) > MAX_DIFF_LINE_LENGTH:
        return [DiffPart("removed", before)], [DiffPart("added", after)]
    old, new = _WORD.findall(before), _WORD.findall(after)
    removed: list[DiffPart] = []
    added: list[DiffPart] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        same = tag == "equal"
        _append(removed, "same" if same else "removed", "".join(old[i:j]))
        _append(added, "same" if same else "added", "".join(new[k:m]))
    return removed, added


def _append(parts: list[DiffPart], kind: DiffKind, text: str) -> None:
    if parts and parts[-1].kind == kind:
        text = parts.pop().text + text
    if text:
        parts.append(DiffPart(kind, text))
