"""The turns that this process runs.

A turn belongs to a task of its own, not to the request that opened it: a caller who goes away
loses nothing. `RunningTurns` keeps the tasks, tells PostgreSQL every few seconds that they are
alive and what they have so far, and waits for them when the process is asked to stop.
"""

from __future__ import annotations

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
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.postgres.threads import in_thread
from apps.llm import services as llm
from apps.llm.errors import ProviderError
from apps.llm.tokens import estimate_prompt_tokens, estimate_tokens
from apps.llm.types import Finish, ModelRequest, TextDelta, Usage
from apps.turns.heartbeat import save_progress
from apps.turns.settle import settle_turn
from apps.turns.types import Receipt, Settlement

log = get_logger(__name__)

_SETTLE_PAUSES = (0.1, 0.5, 2.0, 5.0)


class RunningTurn:
    """One turn from the model's first word to the settled account. `log` tells what happens."""

    def __init__(self, turn: Turn, request: ModelRequest) -> None:
        self.turn = turn
        self.log = TurnLog([TurnStarted(turn.conversation_id, turn.message_id, turn.id)])
        self._request = request
        self._deltas: list[str] = []
        self._asking: asyncio.Task[ApiError | None] | None = None
        self._stopped = False
        self._usage = Usage(0, 0)
        self._finish_reason = ""
        self._first_token_at: datetime | None = None

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._deltas)

    @property
    def deltas(self) -> list[str]:
        """The pieces in which it came."""
        return list(self._deltas)

    def stop(self) -> None:
        """Let go of the model at once; what was delivered becomes the answer."""
        if self._asking is not None and not self._asking.done():
            self._stopped = True
            self._asking.cancel()

    async def run(self) -> None:
        """Ask the model, settle the turn, and only then say how it ended."""
        error = await self._ask_until_stopped()
        try:
            receipt = await self._settle(self._settlement(error))
        except (TurnNotRunning, *DATABASE_UNAVAILABLE) as reason:
            log.error("turn_not_settled", reason=type(reason).__name__)
            self.log.append(TurnFailed(errors.TurnAbandoned()))
            return
        log.info("turn_settled", code=error.code if error else None, charged=receipt.charged)
        self.log.append(TurnFailed(error) if error else self._ended(receipt))

    async def _ask_until_stopped(self) -> ApiError | None:
        self._asking = asyncio.get_running_loop().create_task(self._ask())
        try:
            error = await self._asking
            self._stopped = False
            return error
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        self._finish_reason = "stopped"
        self._usage = Usage(
            estimate_prompt_tokens(self._request.messages), estimate_tokens(self.text)
        )
        return None

    async def _ask(self) -> ApiError | None:
        try:
            await llm.complete(self._request, self._take)
        except ProviderError as failure:
            log.warning("model_failed", kind=type(failure).__name__, detail=failure.detail)
            return errors.error_from_model_failure(failure)
        except Exception:
            log.exception("turn_broke")
            return InternalError()
        if not self._deltas:
            log.warning("model_failed", kind="empty", detail="the model gave an empty answer")
            return errors.ModelError()
        return None

    def _take(self, event: TextDelta | Usage | Finish) -> None:
        match event:
            case TextDelta():
                if not self._deltas:
                    self._first_token_at = timezone.now()
                self._deltas.append(event.text)
                self.log.append(AnswerDelta(event.text))
            case Usage():
                self._usage = event
            case Finish():
                self._finish_reason = event.reason

    def _settlement(self, error: ApiError | None) -> Settlement:
        return Settlement(
            status=self._status(error),
            text=self.text,
            delta_lengths=[len(piece) for piece in self._deltas],
            finish_reason="error" if error else self._finish_reason,
            error_code=error.code if error else "",
            input_tokens=self._usage.input_tokens,
            output_tokens=self._usage.output_tokens,
            first_token_at=self._first_token_at,
        )

    def _status(self, error: ApiError | None) -> TurnStatus:
        if error:
            return TurnStatus.FAILED
        return TurnStatus.STOPPED if self._stopped else TurnStatus.COMPLETED

    async def _settle(self, settlement: Settlement) -> Receipt:
        """Settle, trying again while the database is away. Raises TurnNotRunning when another
        process settled the turn, or the database's error when it stayed away."""
        for pause in _SETTLE_PAUSES:
            try:
                return await settle_turn(turn=self.turn, settlement=settlement)
            except DATABASE_UNAVAILABLE:
                log.warning("settle_again", seconds=pause)
                await asyncio.sleep(pause)
        return await settle_turn(turn=self.turn, settlement=settlement)

    def _ended(self, receipt: Receipt) -> TurnEnded:
        return TurnEnded(
            response=self.text,
            conversation_id=self.turn.conversation_id,
            message_id=self.turn.message_id,
            turn_id=self.turn.id,
            finish_reason=self._finish_reason,
            input_tokens=self._usage.input_tokens,
            output_tokens=self._usage.output_tokens,
            charged=receipt.charged,
            balance=receipt.balance,
        )


class RunningTurns:
    """This process's running turns, by id."""

    def __init__(self) -> None:
        self._turns: dict[str, RunningTurn] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._heart: asyncio.Task[None] | None = None

    def log_of(self, turn_id: str) -> TurnLog | None:
        """The log of the turn, if this process runs it."""
        running = self._turns.get(turn_id)
        return running.log if running else None

    def stop(self, turn_id: str) -> None:
        """Stop the turn, if this process runs it."""
        if running := self._turns.get(turn_id):
            running.stop()

    def start(self, turn: Turn, request: ModelRequest) -> RunningTurn:
        """Run an opened turn in a task of its own."""
        running = self._turns[turn.id] = RunningTurn(turn, request)
        # A fresh context: the request's own, with Django's thread for it, ends with the request.
        context = contextvars.Context()
        context.run(
            structlog.contextvars.bind_contextvars,
            request_id=turn.request_id,
            workspace_id=turn.workspace_id,
            turn_id=turn.id,
        )
        loop = asyncio.get_running_loop()
        self._tasks[turn.id] = loop.create_task(self._run(running), context=context)
        if self._heart is None or self._heart.done():
            self._heart = loop.create_task(self._beat(), context=contextvars.Context())
        return running

    async def _run(self, running: RunningTurn) -> None:
        try:
            await running.run()
        finally:
            del self._turns[running.turn.id], self._tasks[running.turn.id]

    async def _beat(self) -> None:
        """While turns run, save their text every few seconds and drop those that were swept."""
        while self._turns:
            await asyncio.sleep(settings.TURN_HEARTBEAT_SECONDS)
            deltas = {turn_id: running.deltas for turn_id, running in self._turns.items()}
            try:
                await in_thread(save_progress, deltas)
            except DATABASE_UNAVAILABLE as error:
                log.warning("heartbeat_missed", reason=type(error).__name__, turns=len(deltas))

    async def drain(self) -> None:
        """Wait for the running turns, up to the limit of the settings."""
        if self._tasks:
            log.info("draining", turns=len(self._tasks))
            await asyncio.wait(self._tasks.values(), timeout=settings.TURN_DRAIN_SECONDS)


running_turns = RunningTurns()
relay = Relay(running_turns.log_of, running_turns.stop)
