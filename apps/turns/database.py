"""PostgreSQL as turns need it: what the chat engine calls, and what a test may let fail."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from apps.conversations.models import Turn
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.citations import Retrieved, save_passages
from apps.turns.open import write_turn
from apps.turns.settle import settle_turn
from apps.turns.types import NewTurn, Receipt, Settlement

P = ParamSpec("P")
T = TypeVar("T")


class TurnDatabase:
    """Each method may raise DATABASE_UNAVAILABLE, whether it had an effect or not."""

    async def open(self, turn: Turn, new: NewTurn) -> tuple[Turn, bool]:
        """As `write_turn`."""
        return await write_turn(turn, new)

    async def save_passages(self, turn: Turn, retrieved: Retrieved) -> None:
        """As `citations.save_passages`."""
        await save_passages(turn, retrieved)

    async def settle(self, *, turn: Turn, settlement: Settlement) -> Receipt:
        """As `settle_turn`."""
        return await settle_turn(turn=turn, settlement=settlement)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that uses the ORM."""
        return await in_thread(function, *args, **kwargs)
