"""How far a reader may fall behind, and what is left undone when a socket closes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from apps.chat.engine.events import AnswerDelta
from apps.chat.engine.log import TurnLog
from apps.chat.websocket.connection import (
    MAX_WAITING_EVENTS,
    SEND_SECONDS,
    TOO_SLOW,
    BackpressureMonitor,
    CloseReason,
    SocketClosed,
    SocketConnection,
)


def log_of(events: int) -> TurnLog:
    return TurnLog([AnswerDelta("a")] * events)


def test_old_answer_is_no_lag() -> None:
    lag = BackpressureMonitor(log_of(5 * MAX_WAITING_EVENTS))
    assert not lag.is_too_slow(1, 2 * SEND_SECONDS)


def test_burst_that_is_taken_at_once_is_no_lag() -> None:
    turn_log = log_of(1)
    lag = BackpressureMonitor(turn_log)
    for _ in range(30 * MAX_WAITING_EVENTS):
        turn_log.append(AnswerDelta("a"))
    taken = [lag.is_too_slow(number, 0.001) for number in range(2, 30 * MAX_WAITING_EVENTS)]
    assert not any(taken)


def test_reader_that_holds_up_its_sender_lags_until_it_has_caught_up() -> None:
    turn_log = log_of(1)
    lag = BackpressureMonitor(turn_log)
    for _ in range(3 * MAX_WAITING_EVENTS):
        turn_log.append(AnswerDelta("a"))
    assert not lag.is_too_slow(2, 0.6 * SEND_SECONDS)
    assert not lag.is_too_slow(3 * MAX_WAITING_EVENTS, 0.6 * SEND_SECONDS)
    assert not lag.is_too_slow(3, 0.6 * SEND_SECONDS)
    assert lag.is_too_slow(4, 0.6 * SEND_SECONDS)


class Client:
    """An ASGI server's side: takes what is sent, and has nothing to say."""

    def __init__(self) -> None:
        self.got: list[Mapping[str, Any]] = []
        self.waits = 0

    async def receive(self) -> Mapping[str, Any]:
        self.waits += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waits -= 1
        return {}

    async def send(self, message: Mapping[str, Any]) -> None:
        assert message["type"] != "websocket.close" or self.waits == 0
        self.got.append(message)


async def test_socket_ends_once_and_not_while_a_message_is_waited_for() -> None:
    client = Client()
    socket = SocketConnection(client.receive, client.send)
    coming = asyncio.create_task(socket.receive())
    await asyncio.sleep(0)
    socket.request_close(CloseReason(4401, "API key revoked"))
    socket.request_close(TOO_SLOW)
    assert await coming == {"type": "socket.close.requested"}
    with pytest.raises(SocketClosed):
        await socket.send("{}")
    assert socket.close_reason is not None
    await socket.close(socket.close_reason)
    assert client.got == [{"type": "websocket.close", "code": 4401, "reason": "API key revoked"}]


async def test_closing_ends_the_tasks_of_the_socket() -> None:
    client = Client()
    socket = SocketConnection(client.receive, client.send)
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    socket.start_task(work())
    await asyncio.sleep(0)
    await socket.close(TOO_SLOW)
    assert ended.is_set()
    assert [message["type"] for message in client.got] == ["websocket.send", "websocket.close"]
