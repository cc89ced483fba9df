"""The turns that run in this process: their tasks, their heartbeats, and their end at shutdown.

A turn belongs to a task of its own, not to the request that opened it: a caller who disconnects
loses nothing.
"""

import asyncio
import contextvars
from collections.abc import Mapping, Set

import structlog
from django.conf import settings

from apps.chat.engine.knowledge.retrieval import Retrieval
from apps.chat.engine.log import TurnLog
from apps.chat.engine.run.running_turn import RunningTurn, StartCompletion
from apps.conversations.models import Turn
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.llm.types import ModelRequest
from apps.turns.database import TurnDatabase
from apps.turns.heartbeat import Progress, find_ended, save_progress

log = get_logger(__name__)

HEARTBEAT_RETRY_SECONDS = 0.5
"""The pause after a heartbeat that was not written. The sweep counts a turn's silence only once it
could write for a while itself, so the heartbeats are first when PostgreSQL is back."""


class RunningTurns:
    """The turns that run in this process, by id."""

    def __init__(self, database: TurnDatabase, start_completion: StartCompletion) -> None:
        self._database = database
        self._start_completion = start_completion
        self._turns: dict[str, RunningTurn] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._heartbeats: asyncio.Task[None] | None = None

    def log_of(self, turn_id: str) -> TurnLog | None:
        """The log of the turn, if it runs here."""
        running = self._turns.get(turn_id)
        return running.log if running else None

    def stop(self, turn_id: str) -> None:
        """Stop the turn, if it runs here."""
        if running := self._turns.get(turn_id):
            running.stop()

    def start(
        self, turn: Turn, request: ModelRequest, retrieval: Retrieval | None = None
    ) -> RunningTurn:
        """Run an opened turn in a task of its own. `retrieval`: its search for passages."""
        running = RunningTurn(turn, request, self._database, self._start_completion, retrieval)
        self._turns[turn.id] = running
        context = contextvars.Context()
        context.run(
            structlog.contextvars.bind_contextvars,
            request_id=turn.request_id,
            workspace_id=turn.workspace_id,
            turn_id=turn.id,
        )
        task = self._tasks[turn.id] = start_background_task(running.run(), context=context)
        task.add_done_callback(lambda _: self._remove(running))
        if self._heartbeats is None or self._heartbeats.done():
            self._heartbeats = start_background_task(self._send_heartbeats())
        return running

    def _remove(self, running: RunningTurn) -> None:
        del self._turns[running.turn.id], self._tasks[running.turn.id]
        if not running.log.is_over:  # a task that was cancelled before it began
            running.log.interrupt(ServiceUnavailable())

    async def _send_heartbeats(self) -> None:
        """While turns run, save their text every few seconds."""
        pause = settings.TURN_HEARTBEAT_SECONDS
        while self._turns:
            await asyncio.sleep(pause)
            is_saved = await self._save({id: turn.progress for id, turn in self._turns.items()})
            pause = settings.TURN_HEARTBEAT_SECONDS
            if not is_saved:
                pause = min(pause, HEARTBEAT_RETRY_SECONDS)

    async def _save(self, progress: Mapping[str, Progress], *, is_second_try: bool = False) -> bool:
        """Save the progress of turns, by id. False while PostgreSQL is unavailable."""
        try:
            saved = await self._database.run(save_progress, progress)
            if missing := progress.keys() - saved:
                await self._stop_lost_turns(missing)
        except DATABASE_UNAVAILABLE as error:
            log.warning("heartbeat_missed", reason=type(error).__name__, turns=len(progress))
            return False
        except Exception:
            log.exception("heartbeat_refused", turns=len(progress))
            if not is_second_try:  # one of them must not cost the others their heartbeat
                for turn_id, each in progress.items():
                    await self._save({turn_id: each.cleaned()}, is_second_try=True)
        return True

    async def _stop_lost_turns(self, turn_ids: Set[str]) -> None:
        """Stop turns that were swept although they run: the way to PostgreSQL was cut for long."""
        for turn_id in await self._database.run(find_ended, turn_ids):
            running = self._turns.get(turn_id)
            if running and not running.is_settling:
                log.error("turn_lost", turn_id=turn_id)
                running.stop()

    async def drain(self) -> None:
        """Wait for the running turns, for TURN_DRAIN_SECONDS at most. The followers of those that
        remain are interrupted."""
        if self._tasks:
            log.info("draining", turns=len(self._tasks))
            await asyncio.wait(self._tasks.values(), timeout=settings.TURN_DRAIN_SECONDS)
        for running in self._turns.values():
            if not running.log.is_over:
                running.log.interrupt(ServiceUnavailable())
