"""A client for the chat WebSocket, built on the `websockets` package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.web_processes import Caller, WebProcess

Frame = dict[str, Any]


@dataclass
class ChatSocket:
    """An open WebSocket that sends commands and receives frames."""

    connection: ClientConnection

    def send(self, command: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": command, **fields}))

    def receive(self, seconds: float = 20) -> Frame:
        """Receive the next frame that is not a heartbeat."""
        while True:
            frame: Frame = json.loads(self.connection.recv(timeout=seconds))
            if frame["type"] != "heartbeat":
                return frame

    def receive_until(self, *types: str) -> list[Frame]:
        """Receive frames up to and including the first with one of these types."""
        frames = [self.receive()]
        while frames[-1]["type"] not in types:
            frames.append(self.receive())
        return frames

    def receive_turn(self) -> list[Frame]:
        """Receive frames up to the end of a turn or an error."""
        return self.receive_until("message.end", "error")

    def start_turn(self, message: str = "Hello", **fields: Any) -> Frame:
        """Send a message and receive frames up to the first of its turn, which is returned."""
        self.send("chat.send", message=message, **fields)
        return self.receive_until("message.start", "error")[-1]

    def wait_closed(self, seconds: float = 20) -> tuple[int | None, str | None, list[Frame]]:
        """Wait until the server closes: close code, reason, and the frames received before."""
        frames = []
        try:
            while True:
                frames.append(self.receive(seconds))
        except ConnectionClosed:
            return self.connection.close_code, self.connection.close_reason, frames


def chat_url(caller: Caller, web: WebProcess | None = None) -> str:
    chatbot_id = caller.chatbot if isinstance(caller.chatbot, str) else caller.chatbot.id
    return f"ws://127.0.0.1:{(web or caller.web).port}/ws/v1/chatbots/{chatbot_id}/chat"


@contextmanager
def open_socket(
    caller: Caller,
    web: WebProcess | None = None,
    *,
    headers: dict[str, str] | None = None,
    subprotocols: list[str] | None = None,
    **options: Any,
) -> Iterator[ChatSocket]:
    """Open a socket to the caller's chatbot, with the caller's key unless headers are given."""
    with connect(
        chat_url(caller, web),
        additional_headers=caller.all_headers if headers is None else headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
        compression=None,
        close_timeout=1,
        ping_interval=None,  # a pong waits behind all that a slow reader has not read
        **options,
    ) as socket:
        yield ChatSocket(socket)


def make_paying_caller(web: WebProcess, team: Team, model: str, **fields: Any) -> Caller:
    """A caller with 1000 credits and a chatbot that charges one per reply."""
    grant_credits(team.workspace, 1000)
    chatbot = make_chatbot(
        team.workspace,
        make_language_model(model, credits_per_reply=1),
        **{"rate_limit_requests": 1000, **fields},
    )
    return Caller(web, chatbot, make_api_key(team.workspace))
