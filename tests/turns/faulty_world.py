"""Web processes, PostgreSQL, Redis and a model in one event loop, and the faults between them.

The processes are the product's `TurnProcess`. PostgreSQL is the real one, by the product's
statements on the test's own connection; what fails is the way to it. There is one clock, the
loop's: PostgreSQL's functions are hidden by some of the same names that tell its time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.chat.engine.run.process import TurnProcess
from apps.conversations.models import Turn
from apps.credits.services import lock_account
from apps.llm.errors import ProviderFailed
from apps.llm.types import DeltaHandler, ModelRequest, TextDelta, Usage
from apps.turns.citations import Retrieved
from apps.turns.database import TurnDatabase
from apps.turns.settle import settle_turn_blocking
from apps.turns.sweep import sweep_turns
from apps.turns.types import NewTurn, Receipt, Settlement
from tests.turns.turn_factory import save_passages_blocking, write_turn_blocking
from tests.turns.virtual_loop import VirtualLoop

P = ParamSpec("P")
T = TypeVar("T")

TICK_SECONDS = 2.5
SWEEP_SECONDS = 5.0
LOCKED_SECONDS = 4.0
"""How long a statement waits that meets a lock."""

SAVE_FAULTS = ("", "cut", "outage", "lock", "lock next")
"""What may happen when passages are saved: nothing, a lost answer, one because PostgreSQL goes
away, a lock, or a lock that the statement after it meets."""

_VIRTUAL_CLOCK = """
CREATE SCHEMA virtual_clock;
CREATE FUNCTION virtual_clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
  AS $$ SELECT current_setting('virtual_clock.now')::timestamptz $$;
CREATE FUNCTION virtual_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS $$ SELECT current_setting('virtual_clock.now')::timestamptz $$;
SET LOCAL search_path = virtual_clock, public, pg_catalog
"""
_SET_CLOCK = """
SELECT set_config('virtual_clock.now', to_timestamp(1e9 + %s::float8)::text, true)
"""


class Model:
    """A completion whose model says what the test tells it to."""

    def __init__(self, _request: ModelRequest, on_delta: DeltaHandler) -> None:
        self.said: list[str] = []
        self.finish_reason = ""
        self.is_over = False
        self._on_delta = on_delta
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def usage(self) -> Usage:
        return Usage(3, len(self.said))

    async def run(self) -> None:
        try:
            await self._end
        finally:
            self.is_over = True
        self.finish_reason = "stop"

    def say(self, text: str) -> None:
        if not self.is_over and not self._end.done():
            self.said.append(text)
            self._on_delta(TextDelta(text))

    def end(self, *, fails: bool = False) -> None:
        if not self._end.done():
            if fails:
                self._end.set_exception(ProviderFailed("as the test wants it"))
            else:
                self._end.set_result(None)


class World:
    """What the processes share.

    `cuts`: how many answers of statements are still to be lost; `cut_is_outage`: and PostgreSQL
    goes away with them. `locks`: how many statements are still to wait for a lock. `save_fault`:
    what happens to the next statement that saves passages, a value of SAVE_FAULTS.
    """

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        with connection.cursor() as cursor:
            cursor.execute(_VIRTUAL_CLOCK)
        self._set_clock()
        self.is_database_away = False
        self.is_redis_away = False
        self.cuts = 0
        self.cut_is_outage = False
        self.locks = 0
        self.save_fault = ""
        self.channels: dict[str, asyncio.Queue[str | None]] = {}
        self._slept = 0.0

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass, with a sweep every SWEEP_SECONDS."""
        while seconds > 0:
            step = min(seconds, TICK_SECONDS)
            self.loop.run_for(step)
            self._set_clock()
            seconds -= step
            self._slept += step
            if self._slept >= SWEEP_SECONDS:
                self._slept = 0.0
                self.sweep()

    def _set_clock(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SET_CLOCK, [self.loop.time()])

    def sweep(self) -> None:
        """Run the sweep once, unless PostgreSQL is away."""
        if not self.is_database_away:
            sweep_turns()

    def cut(self, *, is_outage: bool) -> None:
        """Lose the answer of the next statement, perhaps because PostgreSQL goes away."""
        self.cuts, self.cut_is_outage = 1, is_outage

    def lose_redis(self) -> None:
        """Redis is gone, with all messages that wait; whoever listens is told."""
        self.is_redis_away = True
        for channel in self.channels.values():
            while not channel.empty():
                channel.get_nowait()
            channel.put_nowait(None)


class Layer:
    """The channel layer of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    async def send(self, channel: str, message: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        if self._process.is_dead:
            return
        if self._world.is_redis_away:
            raise RedisConnectionError("Redis is away")
        if queue := self._world.channels.get(channel):
            queue.put_nowait(json.dumps(message))

    async def receive(self, channel: str) -> Any:
        if self._world.is_redis_away:
            raise RedisConnectionError("Redis is away")
        queue = self._world.channels.setdefault(channel, asyncio.Queue())
        message = await queue.get()
        if message is None:
            raise RedisConnectionError("Redis went away")
        return json.loads(message)

    async def flush(self) -> None:
        if self._world.is_redis_away:
            raise RedisConnectionError("Redis is away")


class Process(TurnDatabase):
    """A web process, and its way to PostgreSQL. Once it is killed, nothing leaves it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_dead = False
        self.is_cut_off = False
        """It alone cannot reach PostgreSQL."""
        self.was_cut_off = False
        self.models: dict[str, Model] = {}
        """By the user that the request names: the turn's id."""
        layer = Layer(world, self)
        self.turns = TurnProcess(
            database=self, get_layer=lambda: layer, start_completion=self._start_completion
        )
        self.turns.relay.listen()

    def cut_off(self) -> None:
        """Cut its way to PostgreSQL."""
        self.is_cut_off = self.was_cut_off = True

    def kill(self) -> None:
        """End it as kill -9 would: nothing leaves it, and nothing reaches it."""
        self.is_dead = True
        self._world.channels.pop(self.turns.relay.name, None)

    def _start_completion(self, request: ModelRequest, on_delta: DeltaHandler) -> Model:
        model = self.models[request.user] = Model(request, on_delta)
        return model

    # TurnDatabase

    async def open(self, turn: Turn, new: NewTurn) -> tuple[Turn, bool]:
        return await self._execute(write_turn_blocking, turn, new)

    async def save_passages(self, turn: Turn, retrieved: Retrieved) -> None:
        fault, self._world.save_fault = self._world.save_fault, ""
        match fault:
            case "lock":
                self._world.locks = 1
            case "cut" | "outage":
                self._world.cut(is_outage=fault == "outage")
        await self._execute(save_passages_blocking, turn, retrieved)
        if fault == "lock next":
            self._world.locks = 1

    async def settle(self, *, turn: Turn, settlement: Settlement) -> Receipt:
        return await self._execute(_settle, turn, settlement)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._execute(function, *args, **kwargs)

    async def _execute(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        if self._world.is_database_away or self.is_cut_off:
            raise OperationalError("PostgreSQL is away")
        if self._world.locks:
            self._world.locks -= 1
            late = self._world.loop.create_task(self._execute_late(function, *args, **kwargs))
            late.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait([late])  # it goes on if the caller gives up
            return late.result()
        return await self._commit(function, *args, **kwargs)

    async def _execute_late(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(LOCKED_SECONDS)
        if self._world.is_database_away:
            raise OperationalError("PostgreSQL went away")
        result = await self._commit(function, *args, **kwargs)
        if self.is_cut_off:
            raise OperationalError("PostgreSQL did it, and the way back was cut")
        return result

    async def _commit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        result = self._world.loop.call_outside(lambda: function(*args, **kwargs))
        if self._world.cuts:
            self._world.cuts -= 1
            self._world.is_database_away = self._world.cut_is_outage
            raise OperationalError("PostgreSQL did it, and the answer was lost")
        await asyncio.sleep(0)
        return result


@transaction.atomic
def _settle(turn: Turn, settlement: Settlement) -> Receipt:
    lock_account(workspace_id=turn.workspace_id)
    return settle_turn_blocking(turn=turn, settlement=settlement)
