"""One running turn: ask the model, settle the turn, then append its last event."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from django.utils import timezone

from apps.chat import errors
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnFailed, TurnStarted
from apps.chat.engine.log import TurnLog
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ApiError, InternalError, ServiceUnavailable
from apps.infrastructure.logging import get_logger
from apps.llm.errors import ProviderError
from apps.llm.types import DeltaHandler, ModelRequest, TextDelta, Usage
from apps.turns.database import TurnDatabase
from apps.turns.final_settlement import settle_for_good
from apps.turns.heartbeat import Progress
from apps.turns.types import Receipt, Settlement

log = get_logger(__name__)

SETTLE_PATIENCE_SECONDS = 10.0
"""How long callers wait for a turn that cannot be settled, before they are told to come again."""


class Completing(Protocol):
    """As `llm.services.Completion`."""

    @property
    def usage(self) -> Usage: ...

    @property
    def finish_reason(self) -> str: ...

    def run(self) -> Awaitable[None]: ...


StartCompletion = Callable[[ModelRequest, DeltaHandler], Completing]


class RunningTurn:
    """One turn, from the request to the model to the settled account. `log` has its events."""

    def __init__(
        self,
        turn: Turn,
        request: ModelRequest,
        database: TurnDatabase,
        start_completion: StartCompletion,
    ) -> None:
        self.turn = turn
        self.log = TurnLog([TurnStarted(turn.conversation_id, turn.message_id, turn.id)])
        self.is_settling = False
        self._database = database
        self._deltas: list[str] = []
        self._completion: asyncio.Task[ApiError | None] | None = None
        self._stopped = False
        self._model = start_completion(request, self._on_delta)
        self._first_token_at: datetime | None = None

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._deltas)

    @property
    def progress(self) -> Progress:
        """The answer and its usage so far, to be saved."""
        usage = self._model.usage
        return Progress(list(self._deltas), usage.input_tokens, usage.output_tokens)

    def stop(self) -> None:
        """Cancel the request to the model; what was delivered becomes the answer."""
        if self._completion is None:  # the task has not begun
            self._stopped = True
        elif not self._completion.done():
            self._stopped = True
            self._completion.cancel()

    async def run(self) -> None:
        """Ask the model, settle the turn, and only then append its last event.

        If that cannot be done, the followers are interrupted, and the sweep settles the turn.
        """
        error: ApiError = ServiceUnavailable()  # the process ends
        try:
            failure = await self._complete_or_stop()
            self.is_settling = True
            await self._settle(self._settlement(failure), failure)
        except TurnNotRunning:
            log.error("turn_not_settled")
            error = errors.TurnAbandoned()
        except Exception:
            log.exception("turn_crashed")
            error = InternalError()
        finally:
            self.log.interrupt(error)  # nothing, once the last event is there

    async def _complete_or_stop(self) -> ApiError | None:
        self._completion = asyncio.get_running_loop().create_task(self._complete())
        if self._stopped:
            self._completion.cancel()
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
        if self._deltas:
            return None
        log.warning("model_failed", kind="empty", finish_reason=self._model.finish_reason)
        return errors.error_from_empty_answer(self._model.finish_reason)

    def _on_delta(self, delta: TextDelta) -> None:
        if not self._deltas:
            self._first_token_at = timezone.now()
        self._deltas.append(delta.text)
        self.log.append(AnswerDelta(delta.text))

    def _settlement(self, error: ApiError | None) -> Settlement:
        usage = self._model.usage
        status = self._status(error)
        return Settlement(
            status=status,
            text=self.text,
            delta_lengths=[len(delta) for delta in self._deltas],
            finish_reason="error" if status == TurnStatus.FAILED else self._finish_reason,
            error_code=error.code if error else "",
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            first_token_at=self._first_token_at,
        )

    @property
    def _finish_reason(self) -> str:
        return "stopped" if self._stopped else self._model.finish_reason

    def _status(self, error: ApiError | None) -> TurnStatus:
        if error and not isinstance(error, errors.ReplyLimitReached):
            return TurnStatus.FAILED
        return TurnStatus.STOPPED if self._stopped else TurnStatus.COMPLETED

    async def _settle(self, settlement: Settlement, failure: ApiError | None) -> None:
        """Settle, however long it takes, and append the last event.

        Followers who have waited for SETTLE_PATIENCE_SECONDS are interrupted: it is not known yet
        what the turn costs. Who follows again is told once it is.
        """
        patience = asyncio.get_running_loop().call_later(
            SETTLE_PATIENCE_SECONDS, self.log.interrupt, ServiceUnavailable()
        )
        try:
            stored, receipt = await settle_for_good(
                self._database, turn=self.turn, settlement=settlement
            )
        finally:
            patience.cancel()
        code = failure.code if failure else None
        log.info("turn_settled", code=code, charged=receipt.charged)
        self.log.append(TurnFailed(failure) if failure else self._ended(stored, receipt))

    def _ended(self, stored: Settlement, receipt: Receipt) -> TurnEnded:
        return TurnEnded(
            response=stored.text,
            conversation_id=self.turn.conversation_id,
            message_id=self.turn.message_id,
            turn_id=self.turn.id,
            finish_reason=stored.finish_reason,
            input_tokens=stored.input_tokens or 0,
            output_tokens=stored.output_tokens or 0,
            charged=receipt.charged,
            balance=receipt.balance,
        )
