"""A limit on concurrent work that clients share fairly.

A free slot goes to the next client in turn, and no client has more than its share, so one that asks
a thousand times delays another by one turn at most.
"""

import asyncio
from collections import OrderedDict, deque

from apps.infrastructure.concurrency.counting import CountByKey


class SlotRefused(Exception):
    """The client has too many requests that wait, or waited too long."""


class FairSlots:
    """At most `slots` at once, `per_client` of them for one client. For one event loop.

    `max_waiting`: how many requests of one client may wait, `wait_seconds`: and for how long.
    """

    def __init__(
        self, slots: int, *, per_client: int, max_waiting: int, wait_seconds: float
    ) -> None:
        self._slots = slots
        self._per_client = per_client
        self._max_waiting = max_waiting
        self._wait_seconds = wait_seconds
        self._used = CountByKey()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def acquire(self, client: str) -> None:
        """Take a slot; release it afterwards. Raises SlotRefused."""
        if self._has_room(client) and client not in self._waiting:
            self._used.add(client)
            return
        queue = self._waiting.setdefault(client, deque())
        if len(queue) >= self._max_waiting:
            raise SlotRefused
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except BaseException as error:
            self._give_up(client, turn)
            if isinstance(error, TimeoutError):
                raise SlotRefused from None
            raise

    def release(self, client: str) -> None:
        """Give a slot back."""
        self._used.remove(client)
        self._admit_next()

    def _has_room(self, client: str) -> bool:
        return self._used.total < self._slots and self._used[client] < self._per_client

    def _admit_next(self) -> None:
        for client, queue in list(self._waiting.items()):
            # A request that was cancelled, or waited too long, has not noticed yet.
            turn = next((turn for turn in queue if not turn.done()), None)
            if turn is None or not self._has_room(client):
                continue
            queue.remove(turn)
            turn.set_result(None)
            self._used.add(client)
            # The client's next request waits behind those of all others.
            self._waiting.move_to_end(client)
            if not queue:
                del self._waiting[client]
            return

    def _give_up(self, client: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # admitted at the same moment
            self.release(client)
            return
        queue = self._waiting[client]
        queue.remove(turn)
        if not queue:
            del self._waiting[client]
