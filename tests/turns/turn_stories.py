"""The turns of the state model: who runs each, who reads it, and the requests that opened it."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.chat.engine.events import NumberedEvent, TurnEvent, TurnInterrupted
from apps.chat.engine.log import TurnLog
from apps.conversations.models import Turn
from tests.turns.faulty_world import Model, Process


@dataclass
class Reader:
    """Somebody who follows a turn. `last`: the event without a number, or the last with one."""

    process: Process
    after: int = 0
    events: list[NumberedEvent] = field(default_factory=list)
    interruption: TurnInterrupted | None = None
    error: BaseException | None = None
    is_over: bool = False
    checked: TurnEvent | None = None

    async def read(self, log: TurnLog) -> None:
        async for events in log.follow(after=self.after, idle_seconds=15.0):
            for event in events:
                if self.process.is_dead:
                    return
                if isinstance(event, TurnInterrupted):
                    self.interruption = event
                else:
                    self.events.append(event)
        self.is_over = True

    @property
    def number(self) -> int:
        """The number of the last event that it has."""
        return self.after + len(self.events)

    @property
    def waits(self) -> bool:
        return not (self.is_over or self.error or self.process.is_dead)


@dataclass
class Story:
    """One turn: who runs it, what its model said, and who reads it."""

    turn: Turn
    process: Process
    model: Model
    readers: list[Reader] = field(default_factory=list)


@dataclass
class Opening:
    """A request for a turn, and what became of it."""

    process: Process
    key: str | None
    turn_id: str = ""
    error: BaseException | None = None

    @property
    def waits(self) -> bool:
        return not (self.turn_id or self.error or self.process.is_dead)
