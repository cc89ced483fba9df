"""The turns of one web process: those that it runs, and those of others that it follows."""

from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from apps.chat.engine.events import LastEvent
from apps.chat.engine.log import TurnLog
from apps.chat.engine.relay import Relay
from apps.chat.engine.replay import Record, abandon_if_silent_and_read, replay
from apps.chat.engine.run.running_turn import StartCompletion
from apps.chat.engine.run.running_turns import RunningTurns
from apps.conversations.models import Turn, TurnStatus
from apps.llm.services import Completion
from apps.turns.database import TurnDatabase
from apps.turns.lost_opening import open_or_find
from apps.turns.types import NewTurn


class TurnProcess:
    """The parameters are what can fail around it: PostgreSQL, the channel layer, the model."""

    def __init__(
        self,
        *,
        database: TurnDatabase | None = None,
        get_layer: Callable[[], Any] = get_channel_layer,
        start_completion: StartCompletion = Completion,
    ) -> None:
        self._database = database or TurnDatabase()
        self.running_turns = RunningTurns(self._database, start_completion)
        self.relay = Relay(
            self.running_turns.log_of,
            self.running_turns.stop,
            get_layer=get_layer,
            read=lambda turn: self._database.run(abandon_if_silent_and_read, turn),
        )

    async def open(self, new: NewTurn) -> tuple[Turn, bool]:
        """Open a turn, or find the one that its idempotency key opened. Raises as `open_turn`."""
        return await open_or_find(self._database, new)

    async def follow(self, turn: Turn) -> TurnLog:
        """The log of a turn, wherever it runs or ran.

        Raises ServiceUnavailable if another process runs it and Redis is down.
        """
        if log := self.running_turns.log_of(turn.id):
            return log
        if (record := await self._read_if_ended(turn)) is None:
            return self.running_turns.log_of(turn.id) or await self.relay.follow_remote(turn)
        return TurnLog(record.events, record.interruption)

    async def stop(self, turn: Turn, *, api_key_id: str | None = None) -> LastEvent:
        """Stop a turn, wherever it runs, and return how it ended. An ended turn is not changed.

        `api_key_id`: the caller's key, whose end ends the wait. Raises as `follow`.
        """
        if self.running_turns.log_of(turn.id):
            self.running_turns.stop(turn.id)
        elif turn.status == TurnStatus.RUNNING and await self._read_if_ended(turn) is None:
            await self.relay.stop(turn)
        return await (await self.follow(turn)).outcome(api_key_id=api_key_id)

    async def _read_if_ended(self, turn: Turn) -> Record | None:
        """The record of a turn that has ended; None if it may run, here or elsewhere.

        A turn of this process may have ended since it was read: Redis is not needed for that.
        """
        if turn.status != TurnStatus.RUNNING:
            return await self._database.run(replay, turn)
        if turn.process != self.relay.name:
            return None
        record = await self._database.run(abandon_if_silent_and_read, turn)
        return record if record.events else None
