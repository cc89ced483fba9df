"""Back-pressure and closing of WebSocket connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from channels.exceptions import StopConsumer

from apps.chat.engine.events import AnswerDelta
from apps.chat.engine.log import TurnLog
from apps.chat.websocket.connection import (
    MAX_WAITING_EVENTS,
    RESTARTING,
    SEND_SECONDS,
    TOO_SLOW,
    BackpressureMonitor,
    CloseReason,
    SocketClosed,
    SocketConnection,
    open_sockets,
)
from apps.chat.websocket.consumer import ChatConsumer
from apps.infrastructure.limits.socket_guard import SocketLimits


def make_log(events: int) -> TurnLog:
    return TurnLog([AnswerDelta("a")] * events)


def test_replay_of_an_old_answer_is_not_too_slow() -> None:
    monitor = BackpressureMonitor(make_log(5 * MAX_WAITING_EVENTS))
    assert not monitor.is_too_slow(1, 2 * SEND_SECONDS)


def test_quickly_read_burst_is_not_too_slow() -> None:
    turn_log = make_log(1)
    monitor = BackpressureMonitor(turn_log)
    for _ in range(30 * MAX_WAITING_EVENTS):
        turn_log.append(AnswerDelta("a"))
    too_slow = [monitor.is_too_slow(number, 0.001) for number in range(2, 30 * MAX_WAITING_EVENTS)]
    assert not any(too_slow)


def test_blocking_reader_is_too_slow_until_it_caught_up() -> None:
    turn_log = make_log(1)
    monitor = BackpressureMonitor(turn_log)
    for _ in range(3 * MAX_WAITING_EVENTS):
        turn_log.append(AnswerDelta("a"))
    assert not monitor.is_too_slow(2, 0.6 * SEND_SECONDS)
    assert not monitor.is_too_slow(3 * MAX_WAITING_EVENTS, 0.6 * SEND_SECONDS)
    assert not monitor.is_too_slow(3, 0.6 * SEND_SECONDS)
    assert monitor.is_too_slow(4, 0.6 * SEND_SECONDS)


class Client:
    """The ASGI server's side: records what is sent, and receives nothing."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.receivers = 0

    async def receive(self) -> Mapping[str, Any]:
        self.receivers += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.receivers -= 1
        return {}

    async def send(self, message: Mapping[str, Any]) -> None:
        assert message["type"] != "websocket.close" or self.receivers == 0
        self.sent.append(message)


async def test_socket_closes_once_after_receive_has_ended() -> None:
    client = Client()
    socket = SocketConnection(client.receive, client.send)
    await socket.accept()
    receiving = asyncio.create_task(socket.receive())
    await asyncio.sleep(0)
    socket.request_close(CloseReason(4401, "API key revoked"))
    socket.request_close(TOO_SLOW)
    assert await receiving == {"type": "socket.close.requested"}
    with pytest.raises(SocketClosed):
        await socket.send("{}")
    assert socket.close_reason is not None
    await socket.close(socket.close_reason)
    assert client.sent[1:] == [
        {"type": "websocket.close", "code": 4401, "reason": "API key revoked"}
    ]


async def test_closing_cancels_the_sockets_tasks() -> None:
    client = Client()
    socket = SocketConnection(client.receive, client.send)
    ended = asyncio.Event()

    async def run_until_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    socket.start_task(run_until_cancelled())
    await asyncio.sleep(0)
    await socket.close(TOO_SLOW)
    assert ended.is_set()
    assert [message["type"] for message in client.sent] == ["websocket.send", "websocket.close"]


async def test_socket_is_accepted_before_a_stopping_process_closes_it() -> None:
    """A close without that would be a 403, which clients take for a refused key."""
    connecting = Connecting()
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/ws/v1/chatbots/c1/chat",
        "url_route": {"kwargs": {"chatbot_id": "c1"}},
        "client": ("127.0.0.1", 1),
        "headers": [],
    }
    scope["slot"] = SocketLimits().open(scope)
    with suppress(StopConsumer):
        await ChatConsumer()(scope, connecting.receive, connecting.send)
    assert [message["type"] for message in connecting.sent] == [
        "websocket.accept",
        "websocket.close",
    ]
    assert connecting.sent[-1]["code"] == RESTARTING.code


class Connecting(Client):
    """A client that connects at the moment at which the process begins to stop."""

    async def receive(self) -> Mapping[str, Any]:
        if self.sent:
            return await super().receive()
        open_sockets.close_idle()
        return {"type": "websocket.connect"}
