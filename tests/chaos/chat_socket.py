"""One connection of the chat WebSocket that carries several turns."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from tests.chaos.record import Told, told_answer
from tests.chaos.session import CLIENT_SECONDS, Session
from tests.chaos.turn_reader import INTERRUPTIONS, TurnReader
from tests.web_processes import Frame

AT_ONCE = 2
"""How many turns a connection carries at the same time."""
RESTARTING = 1012
_numbers = count(1)


@contextmanager
def socket_may_break(session: Session) -> Iterator[None]:
    """Suppress the loss of a socket, and the refusal of a server that is stopping, but not a wait
    that was too long. Another close code is a violation."""
    try:
        yield
    except TimeoutError:
        raise
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code != RESTARTING:
            session.violation(f"a socket was closed with {closed.rcvd.code}")
    except InvalidStatus as refused:
        if refused.response.status_code not in (429, 503):
            session.violation(f"a socket was refused with {refused.response.status_code}")
    except (InvalidMessage, OSError):
        pass


@dataclass
class SocketTurn:
    """A turn that is started over a socket, or followed. `message`: None if it is followed."""

    reader: TurnReader
    key: str = ""
    message: str | None = None

    def command(self) -> dict[str, Any]:
        """What is sent to be told the rest of it."""
        if self.reader.turn_id is None:
            return {"type": "chat.send", "message": self.message, "idempotencyKey": self.key}
        return {
            "type": "turn.follow",
            "turnId": self.reader.turn_id,
            "after": self.reader.last_id,
        }


class ChatSocket:
    """Sends the commands of turns, a few at a time, and takes the frames of the answers."""

    def __init__(self, connection: ClientConnection, session: Session) -> None:
        self._connection = connection
        self._session = session
        self._rng: random.Random = session.rng
        self._asked: dict[str, SocketTurn] = {}
        self._stops: set[str] = set()

    async def see_through(self, turns: list[SocketTurn], *, stops: bool) -> None:
        """Send the turns' commands one after the other and read each to its end.

        Leaves some turns to the next connection: those that were interrupted, or all when the
        caller leaves early. `stops`: stop each turn after its first words.
        """
        waiting = deque(turns)
        until = self._rng.choice([None, None, None, 2, 6])
        frames = 0
        while waiting or self._asked or self._stops:
            while waiting and len(self._asked) < AT_ONCE:
                await self._ask(waiting.popleft())
            request_id, frame = await self._receive()
            turn = self._asked.get(request_id)
            if turn is None:
                self._take_other(request_id, frame)
                continue
            await self._take(request_id, turn, frame)
            if stops and frame.data.get("id") == 2:
                await self._stop(turn)
            frames += 1
            if until is not None and frames >= until:
                if self._rng.random() < 0.5:
                    self._connection.transport.abort()
                return

    async def _ask(self, turn: SocketTurn) -> None:
        turn.reader.is_interrupted = False
        self._asked[await self._send(turn.command())] = turn

    async def _stop(self, turn: SocketTurn) -> None:
        command = {"type": "turn.stop", "turnId": turn.reader.turn_id}
        self._stops.add(await self._send(command))

    async def _send(self, command: dict[str, Any]) -> str:
        request_id = f"request-{next(_numbers)}"
        await self._connection.send(json.dumps({**command, "requestId": request_id}))
        return request_id

    async def _receive(self) -> tuple[str, Frame]:
        """The next frame and the request that it answers; "" if it answers none."""
        async with asyncio.timeout(CLIENT_SECONDS):
            data = json.loads(await self._connection.recv())
        return data.get("requestId", ""), Frame(data.get("id"), data["type"], data)

    async def _take(self, request_id: str, turn: SocketTurn, frame: Frame) -> None:
        reader = turn.reader
        if "turnId" in frame.data:
            reader.take(frame)
            is_answered = reader.is_told
        else:
            self._check_refusal(frame)
            is_answered = True
        if is_answered:
            del self._asked[request_id]
            if reader.end is None and self._rng.random() < 0.5:
                await self._session.pause()
                await self._ask(turn)

    def _take_other(self, request_id: str, frame: Frame) -> None:
        """Take the answer to a stop, or a frame that answers nothing."""
        if request_id in self._stops:
            self._stops.remove(request_id)
            if frame.event == "turn.ended":
                self._session.tell(told_answer(frame.data["data"]))
            elif frame.data["code"] not in INTERRUPTIONS:  # the turn failed, or was abandoned
                turn_id, code = frame.data["turnId"], frame.data["code"]
                self._session.tell(Told(turn_id, None, None, code=code))
        elif request_id:
            self._session.violation(f"{frame.data} came after the end of its request")
        elif frame.event != "heartbeat":
            self._check_refusal(frame)  # of the connection, which is closed next

    def _check_refusal(self, frame: Frame) -> None:
        if frame.event != "error" or frame.data["code"] not in INTERRUPTIONS:
            self._session.violation(f"a socket was told {frame.data}")
