"""A model of a turn's states: what people and faults do to it, and what must be true then.

The rules open turns, let the language model speak, follow, resume, stop and sweep, while processes
are killed, PostgreSQL and Redis go and come back, and answers of statements are lost after their
commit. Hypothesis calls them in random order; a test may call them in its own.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from apps.chatbots.models import Chatbot
from apps.conversations.models import Knowledge, Turn, TurnStatus
from tests.turns.faulty_world import SAVE_FAULTS, Process, World
from tests.turns.turn_stories import QUESTION, Opening, Reader, Search, Story
from tests.turns.turn_truths import (
    check_account,
    check_end,
    check_events,
    check_row,
    check_sources,
)

AWAY = 20.0
"""Seconds that are longer than a turn may be silent."""

executed: Counter[str] = Counter()
"""How often each rule was executed, over all examples."""

some = st.integers(min_value=0, max_value=9)
keys = st.sampled_from([None, None, "one", "two"])


class TurnModel(RuleBasedStateMachine):
    chatbot: Chatbot
    strict_chatbot: Chatbot
    """The same, if it answered from knowledge alone."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.world = World()
        self.all_processes: list[Process] = []
        self.processes = [self.start_process(), self.start_process()]
        self.stories: dict[str, Story] = {}
        self.openings: list[Opening] = []
        self.pass_time(0.1)

    def start_process(self) -> Process:
        self.all_processes.append(self.world.loop.call(lambda: Process(self.world)))
        return self.all_processes[-1]

    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        assert self.world.loop.failures == []

    def start(self, coroutine: Any) -> None:
        self.world.loop.create_task(coroutine)
        self.pass_time(0.05)

    def story(self, number: int) -> Story:
        return list(self.stories.values())[-1 - number % len(self.stories)]

    # What people do

    @initialize()
    def first(self) -> None:
        self.open(0, None)

    @rule(where=some, key=keys)
    def open(self, where: int, key: str | None) -> None:
        executed["open"] += 1
        self._request(Opening(self.processes[where % 2], key))

    @rule(
        where=some,
        key=keys,
        finding=st.sampled_from(Knowledge),
        seconds=st.sampled_from([0.0, 0.2, 1.0, 2.9]),
        is_required=st.booleans(),
        save_fault=st.sampled_from(SAVE_FAULTS),
    )
    def open_with_search(
        self,
        where: int = 0,
        key: str | None = None,
        finding: Knowledge = Knowledge.FOUND,
        seconds: float = 0.0,
        is_required: bool = False,
        save_fault: str = "",
    ) -> None:
        """Open a turn that finds this after so many seconds; perhaps it answers from that alone.
        `save_fault`: what happens when passages are saved next."""
        executed["search"] += 1
        self.world.save_fault = save_fault
        chatbot = self.strict_chatbot if is_required else self.chatbot
        search = Search(chatbot, (), QUESTION, finding=finding, seconds=seconds)
        self._request(Opening(self.processes[where % 2], key, search))

    def _request(self, opening: Opening) -> None:
        self.openings.append(opening)
        self.start(opening.send(self.chatbot, self.stories))

    @precondition(lambda self: self.stories)
    @rule(which=some, where=some, after=st.integers(min_value=0, max_value=30))
    def follow(self, which: int, where: int, after: int) -> None:
        """Follow a turn after a number that was told before: 0 to the last one."""
        executed["follow"] += 1
        story = self.story(which)
        told = max((reader.number for reader in story.readers), default=0)
        self._add_reader(story, Reader(self.processes[where % 2], after=min(after, told)))

    def _add_reader(self, story: Story, reader: Reader) -> Reader:
        story.readers.append(reader)
        self.start(reader.find_and_follow(story.turn.id))
        return reader

    @precondition(lambda self: self.stories)
    @rule(which=some, words=st.integers(min_value=1, max_value=4))
    def another_delta(self, which: int, words: int) -> None:
        """The most frequent thing, so it is there twice."""
        self.delta(which, words)

    @precondition(lambda self: self.stories)
    @rule(which=some, words=st.integers(min_value=1, max_value=4))
    def delta(self, which: int, words: int) -> None:
        executed["delta"] += 1
        if model := self.story(which).model:
            for _ in range(words):
                self.world.loop.call(lambda: model.say(f" {len(model.said)}"))
        self.pass_time(0.05)

    @precondition(lambda self: self.stories)
    @rule(which=some, fails=st.booleans())
    def end(self, which: int, fails: bool) -> None:
        """The model ends its answer: the turn is settled."""
        executed["settle"] += 1
        self.story(which).end_model(fails=fails)
        self.pass_time(0.2)

    @precondition(lambda self: self.stories)
    @rule(which=some)
    def stop(self, which: int) -> None:
        executed["stop"] += 1
        story = self.story(which)
        self.world.loop.call(lambda: story.process.turns.running_turns.stop(story.turn.id))
        self.pass_time(0.2)

    # What happens to them

    @rule(seconds=st.sampled_from([0.3, 1.0, 5.0, 6.0, 20.0]))
    def wait(self, seconds: float) -> None:
        """Heartbeats and sweeps go on meanwhile."""
        executed["heartbeat"] += 1
        self.pass_time(seconds)

    @rule(where=some)
    def kill(self, where: int) -> None:
        executed["kill"] += 1
        self.processes[where % 2].kill()
        self.processes[where % 2] = self.start_process()
        self.pass_time(0.05)

    @rule(is_outage=st.booleans())
    def cut(self, is_outage: bool) -> None:
        """The answer of the next statement will be lost, perhaps because PostgreSQL goes away."""
        executed["cut"] += 1
        self.world.cut(is_outage=is_outage)

    @rule()
    def lock(self) -> None:
        """The next statement will wait for some seconds."""
        executed["lock"] += 1
        self.world.locks = 1

    @rule()
    def sweep(self) -> None:
        executed["sweep"] += 1
        self.world.sweep()

    @rule(part=st.sampled_from(["database", "redis"]))
    def outage(self, part: str) -> None:
        executed[f"{part} away"] += 1
        if part == "database":
            self.world.is_database_away = True
        elif not self.world.is_redis_away:
            self.world.lose_redis()
        self.pass_time(0.05)

    @rule(where=some)
    def partition(self, where: int) -> None:
        executed["partition"] += 1
        self.processes[where % 2].cut_off()

    @rule()
    def come_back(self) -> None:
        executed["back"] += 1
        self.world.is_database_away = self.world.is_redis_away = False
        for process in self.processes:
            process.is_cut_off = False
        self.pass_time(0.05)

    # What must be true

    @invariant()
    def every_follower_is_told_the_truth(self) -> None:
        for story in self.stories.values():
            check_sources(story)
            for reader in story.readers:
                check_events(story, reader)
                last = reader.interruption or (reader.events[-1] if reader.events else None)
                if last is not reader.checked:  # a settled turn's row never changes
                    check_end(story, last, Turn.objects.get(id=story.turn.id))
                    reader.checked = last

    @invariant()
    def accounts_add_up(self) -> None:
        check_account(self.chatbot.workspace_id)

    # How it ends

    def teardown(self) -> None:
        try:
            self._come_back_and_finish()
        finally:
            self.world.loop.end()
            transaction.savepoint_rollback(self.savepoint)

    def _come_back_and_finish(self) -> None:
        """Everything is back: each follower was told an end, and a new one is told the rest."""
        self.world.cuts = self.world.locks = 0
        self.world.save_fault = ""
        self.come_back()
        self.pass_time(11.0)  # for turns whose opening was lost or waits, and for searches
        for story in self.stories.values():
            story.end_model()
        self.pass_time(60.0)
        assert [o for o in self.openings if o.waits] == []
        for story in self.stories.values():
            assert [reader for reader in story.readers if reader.waits] == []
            for after in {0, *(reader.number for reader in story.readers)}:
                self._resume(story, after)
            story.checked = None
        self.every_follower_is_told_the_truth()
        self.accounts_add_up()
        self._check_rows()

    def _resume(self, story: Story, after: int) -> None:
        """Whoever follows again after the last number, has the whole record in the end."""
        reader = self._add_reader(story, Reader(self.processes[0], after=after))
        assert reader.is_over
        row = Turn.objects.get(id=story.turn.id)
        if row.status == TurnStatus.ABANDONED:
            assert reader.interruption
            assert reader.interruption.error.code == "TURN_ABANDONED"
        else:
            assert reader.interruption is None
            assert reader.number == len(story.said) + (3 if row.knowledge else 2)

    def _check_rows(self) -> None:
        """No turn runs on, none is abandoned whose process lives, and a key opens anew if its turn
        was never told."""
        rows = Turn.objects.filter(workspace_id=self.chatbot.workspace_id)
        for row in rows:
            assert row.status != TurnStatus.RUNNING
            story = self.stories.get(row.id)
            if story:
                check_row(story, row)
            runner = next(p for p in self.all_processes if p.turns.relay.name == row.process)
            if row.status == TurnStatus.ABANDONED:
                assert runner.is_dead or runner.was_cut_off
            elif story is None:
                assert (row.status, row.idempotency_key) == (TurnStatus.FAILED, None)
