"""Calls over the chat WebSocket: several turns at once, following, stopping, repeating.

Whoever loses a socket connects again, to either web process, and follows each turn after the last
number that it has, or sends a message again with its key if it was told nothing.
"""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect

from tests.chaos.chat_socket import ChatSocket, SocketTurn, socket_may_break
from tests.chaos.http_calls import HttpCalls
from tests.chaos.session import CLIENT_SECONDS, Session
from tests.chaos.turn_reader import TurnReader


class SocketCalls:
    def __init__(self, session: Session, http: HttpCalls) -> None:
        self._session = session
        self._http = http
        self.choices = [self._talk, self._stop, self._follow, self._ask_over_both]

    async def _talk(self, key: str) -> None:
        """Several messages on one socket, some at the same time."""
        await self._see_through(self._new_turns(key))

    async def _stop(self, key: str) -> None:
        """Each answer is stopped after its first words."""
        await self._see_through(self._new_turns(key), stops=True)

    def _new_turns(self, key: str) -> list[SocketTurn]:
        chatbot = self._session.chatbot()
        return [
            SocketTurn(TurnReader(chatbot), f"{key}-{number}", self._session.message())
            for number in range(self._session.rng.randint(1, 3))
        ]

    async def _follow(self, key: str) -> None:
        """A turn changes between the transports: a stream is resumed over a socket, and followed
        from the start over both."""
        reader = await self._http.open_stream(key)
        if reader is None:
            return
        first, second = (TurnReader(reader.chatbot, reader.turn_id) for _ in range(2))
        await asyncio.gather(
            self._see_through([SocketTurn(reader)]),
            self._see_through([SocketTurn(first)]),
            self._http.read_to_the_end(second),
        )

    async def _ask_over_both(self, key: str) -> None:
        """One key over both transports: two answers are the same. A turn that left nothing gives
        its key up, so one may be told that, and the other the answer of the next."""
        turn = SocketTurn(TurnReader(self._session.chatbot()), key, self._session.message())
        answer, _ = await asyncio.gather(
            self._http.ask(key, turn.message or "", turn.reader.chatbot),
            self._see_through([turn]),
        )
        told = turn.reader.told() if turn.reader.end else None
        if answer and told and told.text is not None and told != answer:
            self._session.violation(f"one key was told {answer} and {told}")

    async def _see_through(self, turns: list[SocketTurn], *, stops: bool = False) -> None:
        """Connect again and again, until each turn has told its end. All are of one chatbot."""
        async for _ in self._session.attempts():
            unfinished = [turn for turn in turns if turn.reader.end is None]
            if not unfinished:
                break
            self._session.count("socket")
            with socket_may_break(self._session):
                async with connect(
                    self._url(turns[0].reader.chatbot),
                    additional_headers=self._session.headers,
                    compression=None,
                    proxy=None,
                    open_timeout=CLIENT_SECONDS,
                    ping_interval=None,
                    close_timeout=1,
                ) as connection:
                    socket = ChatSocket(connection, self._session)
                    await socket.see_through(unfinished, stops=stops)
        for turn in turns:
            self._session.tell_end(turn.reader)

    def _url(self, chatbot: str) -> str:
        return f"{self._session.url().replace('http', 'ws', 1)}/ws/v1/chatbots/{chatbot}/chat"
