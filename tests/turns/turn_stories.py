"""The turns of the state model: who runs each, who reads it, and the requests that opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from apps.chat.engine.events import (
    NumberedEvent,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnInterrupted,
)
from apps.chat.engine.knowledge.retrieval import Retrieval
from apps.chat.engine.log import TurnLog
from apps.chat.engine.prompts import build_model_request
from apps.chatbots.models import Chatbot
from apps.conversations.models import Knowledge, Turn
from apps.core.errors import ApiError
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.llm.types import ChatMessage
from apps.turns.citations import Retrieved
from tests.turns.faulty_world import Model, Process
from tests.turns.passages import PASSAGES
from tests.turns.turn_factory import new_turn

HOLD = 5
QUESTION = (ChatMessage("user", "Hello"),)


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

    async def follow(self, turn: Turn) -> None:
        try:
            await self.read(await self.process.turns.follow(turn))
        except ApiError as error:
            self.error = error

    async def find_and_follow(self, turn_id: str) -> None:
        """Follow a turn of which it has the id."""
        try:
            await self.follow(await self.process.run(Turn.objects.get, id=turn_id))
        except DATABASE_UNAVAILABLE as error:
            self.error = error

    @property
    def number(self) -> int:
        """The number of the last event that it has."""
        return self.after + len(self.events)

    @property
    def waits(self) -> bool:
        return not (self.is_over or self.error or self.process.is_dead)


@dataclass(frozen=True)
class Search(Retrieval):
    """A search that takes so many seconds, and finds what the test wants."""

    finding: Knowledge = Knowledge.FOUND
    seconds: float = 0.0

    async def run(self) -> Retrieved:
        await asyncio.sleep(self.seconds)
        passages = PASSAGES if self.finding == Knowledge.FOUND else ()
        return Retrieved(self.finding, round(self.seconds * 1000), passages)


@dataclass
class Story:
    """One turn: who runs it, what it searches for, and who reads it."""

    turn: Turn
    process: Process
    search: Search | None = None
    readers: list[Reader] = field(default_factory=list)
    checked: SourcesFound | None = None

    @property
    def model(self) -> Model | None:
        """None as long as no model is asked."""
        return self.process.models.get(self.turn.id)

    @property
    def sources(self) -> SourcesFound | None:
        """What its readers were told of its search, None as long as that is nothing."""
        return next(self._told_sources(), None)

    def _told_sources(self) -> Iterator[SourcesFound]:
        for reader in self.readers:
            for event in reader.events:
                if isinstance(event, SourcesFound):
                    yield event
                elif isinstance(event, TurnEnded) and event.knowledge:
                    yield SourcesFound(event.knowledge, event.sources)

    @property
    def has_fixed_reply(self) -> bool:
        """Whether its answer is the owner's sentence, for which no model is asked."""
        sources = self.sources
        is_empty = sources is not None and sources.knowledge == Knowledge.NOTHING_FOUND
        return is_empty and self.search is not None and self.search.is_required

    @property
    def said(self) -> list[str]:
        """The pieces of its answer so far."""
        if self.search and self.has_fixed_reply:
            return [self.search.not_found_reply]
        return self.model.said if self.model else []

    def end_model(self, *, fails: bool = False) -> None:
        if self.model:
            self.model.end(fails=fails)


@dataclass
class Opening:
    """A request for a turn, and what became of it."""

    process: Process
    key: str | None
    search: Search | None = None
    turn_id: str = ""
    error: BaseException | None = None

    async def send(self, chatbot: Chatbot, stories: dict[str, Story]) -> None:
        """Open the turn, or find the one of the key, and follow it. A new one is added to the
        stories."""
        turns = self.process.turns
        new = new_turn(
            chatbot,
            credits=HOLD,
            process=turns.relay.name,
            idempotency_key=self.key,
            request_digest=self.key or "",
        )
        try:
            turn, is_new = await turns.open(new)
        except (ApiError, *DATABASE_UNAVAILABLE) as error:
            self.error = error
            return
        self.turn_id = turn.id
        if is_new:
            request = replace(build_model_request(chatbot, QUESTION), user=turn.id)
            turns.running_turns.start(turn, request, self.search)
            stories[turn.id] = Story(turn, self.process, self.search)
        if turn.id in stories:
            reader = Reader(self.process)
            stories[turn.id].readers.append(reader)
            await reader.follow(turn)

    @property
    def waits(self) -> bool:
        return not (self.turn_id or self.error or self.process.is_dead)
