"""What the callers of a schedule use, what they were told, and what must not have happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Told:
    """An end that a caller was told: a completed turn's text and charge, or its error's code."""

    turn_id: str
    text: str | None
    charged: int | None
    code: str = ""


def told_answer(data: dict[str, Any]) -> Told:
    """What the `data` of an answer tells, over any transport."""
    turn_id = data.get("turnId") or f"message {data['messageId']}"
    return Told(turn_id, data["response"], data.get("credits", {}).get("charged"))


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
        requests = ", ".join(f"{name} {self.requests[name]}" for name in sorted(self.requests))
        return f"{requests}: {answers} answers"


@dataclass(frozen=True)
class Target:
    """What the callers use: web servers, a key and chatbots."""

    urls: list[str]
    key: str
    chatbots: list[str]
