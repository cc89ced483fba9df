"""What the callers of a schedule use, what they were told, and what must not have happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sources:
    """What a caller was told of a search, and each source: its number, source id and quote."""

    knowledge: str = ""
    sources: tuple[tuple[int, str, str], ...] = ()


def told_sources(data: dict[str, Any]) -> Sources:
    """What an answer, or its event of sources, tells of them, over any transport."""
    sources = (
        (each["number"], each["sourceId"], each["quote"]) for each in data.get("sources", ())
    )
    return Sources(data.get("knowledge", ""), tuple(sources))


@dataclass(frozen=True)
class Told:
    """An end that a caller was told: a completed turn's text, charge and sources, or its error's
    code."""

    turn_id: str
    text: str | None
    charged: int | None
    code: str = ""
    sources: Sources = Sources()


def told_answer(data: dict[str, Any]) -> Told:
    """What the `data` of an answer tells, over any transport."""
    turn_id = data.get("turnId") or f"message {data['messageId']}"
    charged = data.get("credits", {}).get("charged")
    return Told(turn_id, data["response"], charged, sources=told_sources(data))


@dataclass
class Record:
    """What all callers of a schedule were told, and what must not have happened.

    `requests`: requests and connections, by transport.
    """

    ends: list[Told] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        answers = sum(told.text is not None for told in self.ends)
        knowledge = Counter(told.sources.knowledge for told in self.ends if told.sources.knowledge)
        searches = ", ".join(f"{knowledge[name]} {name}" for name in sorted(knowledge))
        requests = ", ".join(f"{name} {self.requests[name]}" for name in sorted(self.requests))
        return f"{requests}: {answers} answers ({searches})"


@dataclass(frozen=True)
class Target:
    """What the callers use: web servers, a key and chatbots."""

    urls: list[str]
    key: str
    chatbots: list[str]
