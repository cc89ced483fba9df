"""Closing of WebSockets: ended keys, slow readers, killed and stopping processes."""

from __future__ import annotations

import socket as sockets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from apps.api_keys.models import ApiKey
from apps.api_keys.queries import hash_secret
from apps.api_keys.services import revoke_key
from apps.conversations.models import Turn, TurnStatus
from tests.chat_sockets import open_socket
from tests.conftest import StartWeb
from tests.factories import Team, make_api_key, make_chatbot, make_language_model
from tests.web_processes import Caller, WebProcess, make_caller


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_caller(web, live_team.workspace, "sandbox/long", rate_limit_requests=1000)


def wait_until_settled(turn_id: str, seconds: float = 30) -> Turn:
    """Wait until the turn has ended, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        turn = Turn.objects.get(id=turn_id)
        if turn.status != TurnStatus.RUNNING:
            return turn
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("change", ["revoked", "expired", "deleted"])
def test_socket_closes_when_its_key_ends_but_turn_continues(caller: Caller, change: str) -> None:
    key = ApiKey.objects.get(digest=hash_secret(caller.key))
    other = Caller(caller.web, caller.chatbot, make_api_key(key.workspace))
    with open_socket(caller) as socket, open_socket(other) as bystander:
        turn_id = socket.start_turn("count")["turnId"]
        if change == "revoked":
            revoke_key(key=key)
        elif change == "expired":
            ApiKey.objects.filter(id=key.id).update(expires_at=timezone.now())
        else:
            key.delete()
        close, reason, frames = socket.wait_closed()
        assert (close, reason) == (4401, "API key revoked")
        assert "message.end" not in {frame["type"] for frame in frames}  # the turn still runs
        assert (frames[-1]["type"], frames[-1]["code"]) == ("error", "INVALID_API_KEY")
        assert bystander.start_turn("still here")["type"] == "message.start"
    assert wait_until_settled(turn_id).status == TurnStatus.COMPLETED


def test_message_over_the_limit_closes_the_socket(caller: Caller) -> None:
    with open_socket(caller) as socket:
        socket.send("chat.send", message="a" * (1024 * 1024))
        close, _, frames = socket.wait_closed()
    assert close == 1009
    assert frames[-1]["code"] == "PAYLOAD_TOO_LARGE"


@pytest.fixture
def long_answer_caller(web: WebProcess, live_team: Team) -> Caller:
    """A caller whose chatbot's answers exceed the kernel's buffers for a slow reader."""
    model = make_language_model("sandbox/echo", context_tokens=200_000)
    chatbot = make_chatbot(live_team.workspace, model, max_reply_tokens=20_000)
    return Caller(web, chatbot, make_api_key(live_team.workspace))


MANY_WORDS = "a " * 15_000


def test_stalled_reader_is_closed_while_its_turns_complete(long_answer_caller: Caller) -> None:
    with open_socket(long_answer_caller, max_queue=1) as socket:
        for _ in range(8):
            socket.send("chat.send", message=MANY_WORDS)
        turns = wait_for_turns(long_answer_caller, 8)
        for turn_id in turns:
            assert wait_until_settled(turn_id, 60).status == TurnStatus.COMPLETED
        wait_for_slow_close(long_answer_caller)
        close, _, frames = socket.wait_closed()
    assert close in (1005, 1006)
    assert len(frames) < 8 * 15_000
    received = [frame for frame in frames if frame.get("turnId") == turns[0]]
    with open_socket(long_answer_caller) as socket:
        socket.send("turn.follow", turnId=turns[0], after=received[-1]["id"] if received else 0)
        remaining = socket.receive_turn()
    text = "".join(frame.get("delta", "") for frame in received + remaining)
    assert text == remaining[-1]["data"]["response"]


def test_slow_reader_gets_an_error_and_is_closed(long_answer_caller: Caller) -> None:
    """It blocks the sender for 2.5 s repeatedly, and reads in between."""
    with (
        small_receive_buffer(long_answer_caller) as buffered,
        open_socket(long_answer_caller, max_queue=1, sock=buffered) as socket,
    ):
        for _ in range(8):
            socket.send("chat.send", message=MANY_WORDS)
        frames = []
        with suppress(ConnectionClosed):
            for number in count():
                if number % 8000 == 0:
                    time.sleep(2.5)
                frames.append(socket.receive())
        assert (socket.connection.close_code, socket.connection.close_reason) == (4408, "Too slow")
    assert (frames[-1]["type"], frames[-1]["code"]) == ("error", "SLOW_READER")
    assert "turnId" not in frames[-1]


@contextmanager
def small_receive_buffer(caller: Caller) -> Iterator[sockets.socket]:
    """A connection with a small kernel buffer, so that a slow reader soon blocks the sender."""
    with sockets.socket() as connection:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 32 * 1024)
        connection.connect(("127.0.0.1", caller.web.port))
        yield connection


def wait_for_turns(caller: Caller, count: int) -> list[str]:
    for _ in range(600):
        turns = list(Turn.objects.filter(chatbot=caller.chatbot).values_list("id", flat=True))
        if len(turns) == count:
            return turns
        time.sleep(0.05)
    raise AssertionError("The turns did not open.")


def wait_for_slow_close(caller: Caller, seconds: float = 60) -> None:
    """Wait until the log has a close of a socket of this chatbot with code 4408."""
    chatbot: Any = caller.chatbot
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for entry in caller.web.log.read_text().splitlines():
            if chatbot.id in entry and '"code": 4408' in entry:
                return
        time.sleep(0.2)
    raise AssertionError("The socket was not closed.")


def test_follower_of_a_killed_process_gets_an_error(
    own_web: StartWeb, web: WebProcess, live_team: Team
) -> None:
    runner = own_web()
    caller = make_caller(runner, live_team.workspace, "sandbox/long", rate_limit_requests=1000)
    with open_socket(caller, web) as follower:
        with open_socket(caller) as opener:
            turn_id = opener.start_turn("count")["turnId"]
            follower.send("turn.follow", turnId=turn_id)
            follower.receive_until("message.delta")
            runner.kill()
            assert opener.wait_closed()[0] == 1006
        error = follower.receive_until("error")[-1]
        assert (error["code"], error["turnId"]) == ("TURN_ABANDONED", turn_id)
        follower.send("turn.stop", turnId="c-nothing")
        assert follower.receive()["code"] == "TURN_NOT_FOUND"


def test_graceful_stop_completes_turns_and_closes_sockets(
    own_web: StartWeb, live_team: Team
) -> None:
    web = own_web()
    caller = make_caller(web, live_team.workspace, "sandbox/long", rate_limit_requests=1000)
    with open_socket(caller) as idle, open_socket(caller) as busy:
        start = busy.start_turn("count")
        web.terminate()
        assert idle.wait_closed()[:2] == (1012, "Restarting")
        busy.send("chat.send", message="late", requestId="late")
        frames = busy.receive_until("message.end")
        close, _, remaining = busy.wait_closed()
    assert (close, remaining) == (1012, [])
    late = [frame for frame in frames if frame.get("requestId") == "late"]
    assert [(f["code"], f["retryAfter"]) for f in late] == [("SERVICE_UNAVAILABLE", 5)]
    ids = [frame["id"] for frame in frames if frame.get("turnId") == start["turnId"]]
    assert ids == list(range(2, 203))
    assert web.process.wait(timeout=20) == 0


def test_graceful_stop_completes_turns_of_20_sockets(own_web: StartWeb, live_team: Team) -> None:
    web = own_web()
    caller = make_caller(web, live_team.workspace, "sandbox/long", rate_limit_requests=1000)

    def read() -> tuple[list[int], int | None]:
        with open_socket(caller) as socket:
            socket.send("chat.send", message="count")
            code, _, frames = socket.wait_closed()
            return [frame["id"] for frame in frames], code

    with ThreadPoolExecutor(20) as pool:
        reading = [pool.submit(read) for _ in range(20)]
        wait_for_turns(caller, 20)
        web.terminate()
        results = [each.result(timeout=30) for each in reading]
    assert results == [(list(range(1, 203)), 1012)] * 20
