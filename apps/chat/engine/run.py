"""Run turns: ask the model, settle the turn, save progress meanwhile.

A turn belongs to a task of its own, not to the request that opened it: a caller who disconnects
loses nothing. `RunningTurns` keeps the tasks of this process, saves their text every few seconds
as a heartbeat, and waits for them when the process is asked to stop.
"""

import asyncio
import contextvars
from datetime import datetime

import structlog
from django.conf import settings
from django.utils import timezone

from apps.chat import errors
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnFailed, TurnStarted
from apps.chat.engine.log import TurnLog
from apps.chat.engine.relay import Relay
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ApiError, InternalError
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.postgres.threads import in_thread
from apps.llm import services as llm
from apps.llm.errors import ProviderError
from apps.llm.types import ModelRequest, TextDelta
from apps.turns.heartbeat import save_progress
from apps.turns.settle import settle_turn
from apps.turns.types import Receipt, Settlement

log = get_logger(__name__)

_SETTLE_RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0)


class RunningTurn:
    """One turn, from the request to the model to the settled account. `log` has its events."""

    def __init__(self, turn: Turn, request: ModelRequest) -> None:
        self.turn = turn
        self.log = TurnLog([TurnStarted(turn.conversation_id, turn.message_id, turn.id)])
        self._deltas: list[str] = []
        self._completion: asyncio.Task[ApiError | None] | None = None
        self._stopped = False
        self._model = llm.Completion(request, self._on_delta)
        self._first_token_at: datetime | None = None

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._deltas)

    @property
    def deltas(self) -> list[str]:
        """The pieces of the answer so far."""
        return list(self._deltas)

    def stop(self) -> None:
        """Cancel the request to the model; what was delivered becomes the answer."""
        if self._completion is not None and not self._completion.done():
            self._stopped = True
            self._completion.cancel()

    async def run(self) -> None:
        """Ask the model, settle the turn, and only then append its last event."""
        error = await self._complete_or_stop()
        try:
            receipt = await self._settle(self._settlement(error))
        except (TurnNotRunning, *DATABASE_UNAVAILABLE) as reason:
            log.error("turn_not_settled", reason=type(reason).__name__)
            self.log.append(TurnFailed(errors.TurnAbandoned()))
            return
        log.info("turn_settled", code=error.code if error else None, charged=receipt.charged)
        self.log.append(TurnFailed(error) if error else self._ended(receipt))

    async def _complete_or_stop(self) -> ApiError | None:
        self._completion = asyncio.get_running_loop().create_task(self._complete())
        try:
            error = await self._completion
            self._stopped = False
            return error
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        return None

    async def _complete(self) -> ApiError | None:
        try:
            await self._model.run()
        except ProviderError as failure:
            log.warning("model_failed", kind=type(failure).__name__, detail=failure.detail)
            return errors.error_from_model_failure(failure)
        except Exception:
            log.exception("turn_crashed")
            return InternalError()
        if not self._deltas:
            log.warning("model_failed", kind="empty", detail="the model gave an empty answer")
            return errors.ModelError()
        return None

    def _on_delta(self, delta: TextDelta) -> None:
        if not self._deltas:
            self._first_token_at = timezone.now()
        self._deltas.append(delta.text)
        self.log.append(AnswerDelta(delta.text))

    @property
    def _finish_reason(self) -> str:
        return "stopped" if self._stopped else self._model.finish_reason

    def _settlement(self, error: ApiError | None) -> Settlement:
        return Settlement(
            status=self._status(error),
            text=self.text,
            delta_lengths=[len(delta) for delta in self._deltas],
            finish_reason="error" if error else self._finish_reason,
            error_code=error.code if error else "",
            input_tokens=self._model.usage.input_tokens,
            output_tokens=self._model.usage.output_tokens,
            first_token_at=self._first_token_at,
        )

    def _status(self, error: ApiError | None) -> TurnStatus:
        if error:
            return TurnStatus.FAILED
        return TurnStatus.STOPPED if self._stopped else TurnStatus.COMPLETED

    async def _settle(self, settlement: Settlement) -> Receipt:
        """Settle, with retries while the database is unavailable.

        Raises TurnNotRunning when another process settled the turn, or the database's error.
        """
        for seconds in _SETTLE_RETRY_SECONDS:
            try:
                return await settle_turn(turn=self.turn, settlement=settlement)
            except DATABASE_UNAVAILABLE:
                log.warning("settle_retry", seconds=seconds)
                await asyncio.sleep(seconds)
        return await settle_turn(turn=self.turn, settlement=settlement)

    def _ended(self, receipt: Receipt) -> TurnEnded:
        return TurnEnded(
            response=self.text,
            conversation_id=self.turn.conversation_id,
            message_id=self.turn.message_id,
            turn_id=self.turn.id,
            finish_reason=self._finish_reason,
            input_tokens=self._model.usage.input_tokens,
            output_tokens=self._model.usage.output_tokens,
            charged=receipt.charged,
            balance=receipt.balance,
        )


class RunningTurns:
    """The turns that run in this process, by id."""

    def __init__(self) -> None:
        self._turns: dict[str, RunningTurn] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._heartbeat: asyncio.Task[None] | None = None

    def log_of(self, turn_id: str) -> TurnLog | None:
        """The log of the turn, if it runs here."""
        running = self._turns.get(turn_id)
        return running.log if running else None

    def stop(self, turn_id: str) -> None:
        """Stop the turn, if it runs here."""
        if running := self._turns.get(turn_id):
            running.stop()

    def start(self, turn: Turn, request: ModelRequest) -> RunningTurn:
        """Run an opened turn in a task of its own."""
        running = self._turns[turn.id] = RunningTurn(turn, request)
        context = contextvars.Context()
        context.run(
            structlog.contextvars.bind_contextvars,
            request_id=turn.request_id,
            workspace_id=turn.workspace_id,
            turn_id=turn.id,
        )
        self._tasks[turn.id] = start_background_task(self._run(running), context=context)
        if self._heartbeat is None or self._heartbeat.done():
            self._heartbeat = start_background_task(self._send_heartbeats())
        return running

    async def _run(self, running: RunningTurn) -> None:
        try:
            await running.run()
        finally:
            del self._turns[running.turn.id], self._tasks[running.turn.id]

    async def _send_heartbeats(self) -> None:
        """While turns run, save their text every few seconds."""
        while self._turns:
            await asyncio.sleep(settings.TURN_HEARTBEAT_SECONDS)
            deltas = {turn_id: running.deltas for turn_id, running in self._turns.items()}
            try:
                await in_thread(save_progress, deltas)
            except DATABASE_UNAVAILABLE as error:
                log.warning("heartbeat_missed", reason=type(error).__name__, turns=len(deltas))

    async def drain(self) -> None:
        """Wait for the running turns, for TURN_DRAIN_SECONDS at most."""
        if self._tasks:
            log.info("draining", turns=len(self._tasks))
            await asyncio.wait(self._tasks.values(), timeout=settings.TURN_DRAIN_SECONDS)


running_turns = RunningTurns()
relay = Relay(running_turns.log_of, running_turns.stop)
