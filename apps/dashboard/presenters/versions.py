"""Versions of a chatbot as the dashboard shows them: what changed, in words and in lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from apps.chatbots.models import ChatbotVersion, LeadCapture
from apps.chatbots.services import VERSIONED_FIELDS
from apps.dashboard.forms.chatbots import ChatbotForm

Kind = Literal["same", "gone", "new"]
RATE_LIMIT_LABELS = {
    "rate_limit_requests": "Rate limit (requests)",
    "rate_limit_window_seconds": "Rate limit (seconds)",
}
MAX_DIFF_LINE_LENGTH = 2_000
"""Characters of a line that are compared word by word; a longer one is shown as changed whole."""

_WORD = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


@dataclass(frozen=True, slots=True)
class DiffPart:
    """Words of a line that both versions have, that were taken out, or put in."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a text: of both versions, of the older alone, or of the newer alone."""

    kind: Kind
    parts: list[DiffPart]


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that two versions have differently; `lines` where it is a text of several."""

    label: str
    before: str
    after: str
    lines: list[DiffLine]


def setting_label(setting: str) -> str:
    """What the form of a chatbot calls a setting, and its section where that alone is not clear."""
    if setting in RATE_LIMIT_LABELS:
        return RATE_LIMIT_LABELS[setting]
    return str(ChatbotForm.base_fields[setting.removesuffix("_id")].label)


def changed_settings(older: ChatbotVersion, newer: ChatbotVersion) -> list[SettingChange]:
    """The settings in which two versions differ, in the order of the chatbot's page."""
    return [
        SettingChange(setting_label(name), before, after, _lines(name, before, after))
        for name in VERSIONED_FIELDS
        if older.snapshot.get(name) != newer.snapshot.get(name)
        for before, after in [(_in_words(name, older), _in_words(name, newer))]
    ]


def _in_words(name: str, version: ChatbotVersion) -> str:
    value: Any = version.snapshot.get(name)
    match name, value:
        case "language_model_id", _:
            return str(version.snapshot.get("language_model") or value)
        case "lead_capture", str() if value in LeadCapture.values:
            return str(LeadCapture(value).label)
        case _, bool():
            return "yes" if value else "no"
        case _, int():
            return f"{value:,}"
    return "" if value is None else str(value)


def _lines(name: str, before: str, after: str) -> list[DiffLine]:
    return list(diff_lines(before, after)) if name == "system_prompt" else []


def diff_lines(before: str, after: str) -> Iterator[DiffLine]:
    """Both texts, line by line; of a line that was changed, the words that differ are marked."""
    old, new = before.splitlines(), after.splitlines()
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (DiffLine("same", [DiffPart("same", text)]) for text in old[i:j])
        else:
            yield from _changed(old[i:j], new[k:m])


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    """Lines that took the place of others: all of the old ones, then all of the new ones."""
    pairs = [_words(a, b) for a, b in zip(old, new, strict=False)]
    paired = len(pairs)
    yield from (DiffLine("gone", gone) for gone, _ in pairs)
    yield from (_whole("gone", text) for text in old[paired:])
    yield from (DiffLine("new", put_in) for _, put_in in pairs)
    yield from (_whole("new", text) for text in new[paired:])


def _whole(kind: Kind, text: str) -> DiffLine:
    return DiffLine(kind, [DiffPart(kind, text)] if text else [])


def _words(before: str, after: str) -> tuple[list[DiffPart], list[DiffPart]]:
    if max(len(before), len(after)) > MAX_DIFF_LINE_LENGTH:
        return [DiffPart("gone", before)], [DiffPart("new", after)]
    old, new = _WORD.findall(before), _WORD.findall(after)
    gone: list[DiffPart] = []
    put_in: list[DiffPart] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        same = tag == "equal"
        _add(gone, "same" if same else "gone", "".join(old[i:j]))
        _add(put_in, "same" if same else "new", "".join(new[k:m]))
    return gone, put_in


def _add(parts: list[DiffPart], kind: Kind, text: str) -> None:
    if parts and parts[-1].kind == kind:
        text = parts.pop().text + text
    if text:
        parts.append(DiffPart(kind, text))
