"""One running turn: search for passages, ask the model, settle the turn, then append its last
event."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from apps.chat import errors
from apps.chat.engine.events import (
    AnswerDelta,
    SourcesFound,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)
from apps.chat.engine.knowledge.retrieval import Retrieval, answer_sources
from apps.chat.engine.log import TurnLog
from apps.chat.errors import KnowledgeUnavailable
from apps.conversations.citations import AnswerSource
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Knowledge, Turn, TurnStatus
from apps.core.errors import ApiError, InternalError, ServiceUnavailable
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.llm.errors import ProviderError
from apps.llm.types import DeltaHandler, ModelRequest, TextDelta, Usage
from apps.turns.citations import Retrieved
from apps.turns.database import TurnDatabase
from apps.turns.final_settlement import settle_for_good
from apps.turns.heartbeat import Progress
from apps.turns.types import Receipt, Settlement

log = get_logger(__name__)

SETTLE_PATIENCE_SECONDS = 10.0
"""How long callers wait for a turn that cannot be settled, before they are told to come again."""
SAVE_RETRY_SECONDS = 0.1


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
        retrieval: Retrieval | None = None,
    ) -> None:
        self.turn = turn
        self.log = TurnLog([TurnStarted(turn.conversation_id, turn.message_id, turn.id)])
        self.is_settling = False
        self._database = database
        self._deltas: list[str] = []
        self._completion: asyncio.Task[ApiError | None] | None = None
        self._stopped = False
        self._request = request
        self._start_completion = start_completion
        self._retrieval = retrieval
        self._told: SourcesFound | None = None
        self._is_fixed_reply = False
        # Without a search, the model can be asked at once.
        self._model = None if retrieval else start_completion(request, self._on_delta)
        self._first_token_at: datetime | None = None

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._deltas)

    @property
    def progress(self) -> Progress:
        """The answer and its usage so far, to be saved."""
        usage = self._usage
        # A fixed reply is free. Were it saved and the process died, it would be charged.
        deltas = [] if self._is_fixed_reply else list(self._deltas)
        return Progress(deltas, usage.input_tokens, usage.output_tokens, self._knowledge)

    @property
    def _usage(self) -> Usage:
        return self._model.usage if self._model else Usage(0, 0)

    @property
    def _knowledge(self) -> str:
        return self._told.knowledge if self._told else ""

    @property
    def _sources(self) -> tuple[AnswerSource, ...]:
        return self._told.sources if self._told else ()

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
            if self._retrieval is not None:
                await self._retrieve(self._retrieval)
            if self._model is not None:
                await self._model.run()
        except TurnNotRunning:
            raise
        except KnowledgeUnavailable as unavailable:
            return unavailable
        except ProviderError as failure:
            log.warning("model_failed", kind=type(failure).__name__, detail=failure.detail)
            return errors.error_from_model_failure(failure)
        except Exception:
            log.exception("turn_crashed")
            return InternalError()
        if self._deltas:
            return None
        log.warning("model_failed", kind="empty", finish_reason=self._finish_reason)
        return errors.error_from_empty_answer(self._finish_reason)

    async def _retrieve(self, retrieval: Retrieval) -> None:
        """Search for passages, tell of them, and prepare the request to the model or the fixed
        reply. Raises KnowledgeUnavailable if there can be no answer without them."""
        retrieved = await self._store(await retrieval.run())
        self._told = SourcesFound(retrieved.knowledge, answer_sources(retrieved))
        self.log.append(self._told)
        if retrieval.is_required and retrieved.knowledge == Knowledge.UNAVAILABLE:
            raise KnowledgeUnavailable
        if retrieval.is_required and retrieved.knowledge == Knowledge.NOTHING_FOUND:
            self._is_fixed_reply = True
            self._on_delta(TextDelta(retrieval.not_found_reply))
            return
        request = replace(self._request, messages=retrieval.prompt(retrieved))
        self._model = self._start_completion(request, self._on_delta)

    async def _store(self, retrieved: Retrieved) -> Retrieved:
        """Store what was found, and return what may be told. Raises TurnNotRunning if the sweep was
        earlier."""
        try:
            async with asyncio.timeout(settings.KNOWLEDGE_RETRIEVAL_SECONDS):
                await self._save_when_available(retrieved)
        except TurnNotRunning:
            raise
        except Exception as error:
            log.warning("passages_not_saved", reason=type(error).__name__)
            if retrieved.passages:  # only what is stored is shown
                return Retrieved(Knowledge.UNAVAILABLE, retrieved.milliseconds)
        return retrieved

    async def _save_when_available(self, retrieved: Retrieved) -> None:
        while True:
            try:
                return await self._database.save_passages(self.turn, retrieved)
            except DATABASE_UNAVAILABLE:
                if not retrieved.passages:
                    raise
                await asyncio.sleep(SAVE_RETRY_SECONDS)

    def _on_delta(self, delta: TextDelta) -> None:
        if not self._deltas:
            self._first_token_at = timezone.now()
        self._deltas.append(delta.text)
        self.log.append(AnswerDelta(delta.text))

    def _settlement(self, error: ApiError | None) -> Settlement:
        usage = self._usage
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
            knowledge=self._knowledge,
            sources=self._sources,
            is_free=self._is_fixed_reply,
        )

    @property
    def _finish_reason(self) -> str:
        if self._stopped:
            return "stopped"
        return self._model.finish_reason if self._model else "stop"

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
            knowledge=stored.knowledge,
            sources=self._sources,
        )
