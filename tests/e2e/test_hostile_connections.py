"""Many connections that send or read nothing, while a web process goes on answering others.

HOSTILE_CONNECTIONS sets how many; the default is more than a process once took at all.
"""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.chat_sockets import chat_url, open_socket
from tests.factories import Team, make_api_key
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller, start_web

CONNECTIONS = int(os.environ.get("HOSTILE_CONNECTIONS", "1100"))
CHAT = "POST /api/v1/chatbots/c/chat HTTP/1.1\r\nHost: localhost\r\n"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def flooded(committed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """A web process with short deadlines and low limits for one client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limits: dict[str, Any] = {
        "BODY_FIRST_SECONDS": 2.0,
        "BODY_SLOW_AFTER_SECONDS": 1.0,
        "MAX_SLOW_BODIES_PER_CLIENT": 5,
        "MAX_SOCKETS_PER_KEY": 5,
        "MAX_STREAMS_PER_KEY": 5,
        "MAX_WRONG_KEYS_PER_MINUTE": 10,
        "TRUSTED_PROXIES": 1,
        "SEND_SECONDS": 1.0,
    }
    with start_web(tmp_path_factory.mktemp("flooded"), **limits) as web:
        yield web
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def caller(flooded: WebProcess, live_team: Team) -> Caller:
    return make_caller(flooded, live_team.workspace, rate_limit_requests=1000)


@contextmanager
def open_connections(
    web: WebProcess, text: str, count: int = CONNECTIONS
) -> Iterator[list[socket.socket]]:
    """Connections that have sent this text."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", web.port), timeout=20)
            opened.append(stack.enter_context(connection))
            connection.sendall(text.encode())
        yield opened


def read_to_the_end(connections: list[socket.socket], seconds: float = 30) -> list[bytes]:
    """What each connection receives until the server closes it."""
    received = dict.fromkeys(connections, b"")
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < deadline, f"{len(selector.get_map())} are still open"
            for key, _ in selector.select(timeout=1):
                try:
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                except ConnectionError:
                    data = b""
                if data:
                    received[key.fileobj] += data  # type: ignore[index]
                else:
                    selector.unregister(key.fileobj)
    return list(received.values())


def assert_answers_others(caller: Caller) -> None:
    """Health checks, a page and a chat are answered."""
    for path in ("/healthz", "/readyz", "/login"):
        response = httpx.get(f"{caller.web.url}{path}", timeout=20, verify=SSL_CONTEXT)
        assert (path, response.status_code) == (path, 200)
    assert caller.post("Hello").status_code == 200


def test_bodies_that_do_not_arrive(caller: Caller) -> None:
    paths = ["/api/v1/chatbots/c/chat", "/login", "/csp-reports", "/w/acme/", "/admin/", "/nothing"]
    head = "HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    with ExitStack() as stack:
        opened = [
            connection
            for path in paths
            for connection in stack.enter_context(
                open_connections(caller.web, f"POST {path} {head}{{", CONNECTIONS // len(paths))
            )
        ]
        assert_answers_others(caller)
        answers = Counter(data[9:12] for data in read_to_the_end(opened))
    assert answers.keys() == {b"408", b"429"}
    assert answers[b"429"] > answers[b"408"]


@pytest.mark.parametrize("text", ["", CHAT, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_connections_without_a_request(caller: Caller, text: str) -> None:
    with open_connections(caller.web, text):
        assert_answers_others(caller)


def test_large_bodies_to_pages_are_neither_read_nor_kept(caller: Caller) -> None:
    text = "POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = f"{MEBIBYTE:x}\r\n{'x' * MEBIBYTE}\r\n"
    with open_connections(caller.web, text, 1) as (connection,):
        sent = 0
        with suppress(OSError):
            while sent < 200:
                connection.sendall(chunk.encode())
                sent += 1
    assert sent < 50  # as much as the kernel's buffers may hold


def test_long_urls_leave_nothing_behind(caller: Caller) -> None:
    memory, log = resident_mebibytes(caller.web), caller.web.log.stat().st_size
    with httpx.Client(verify=SSL_CONTEXT) as client:
        for number in range(100):
            url = f"{caller.web.url}/api/v1/{number}/{'x' * 60_000}"
            assert client.get(url).status_code == 414
    assert resident_mebibytes(caller.web) - memory < 30
    assert caller.web.log.stat().st_size - log < 100 * 2000


def test_slow_readers_are_disconnected(caller: Caller) -> None:
    body = json.dumps({"message": " ".join(["word"] * 6000), "stream": True})
    text = (
        f"POST {caller.url.removeprefix(caller.web.url)} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {caller.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    with ExitStack() as stack:
        for _ in range(5):
            slow = stack.enter_context(socket.socket())
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            slow.connect(("127.0.0.1", caller.web.port))
            slow.sendall(text.encode())
        wait_for_log(caller.web, "slow_reader", 5)
    assert_answers_others(caller)


def wait_for_log(web: WebProcess, event: str, count: int) -> None:
    """Wait until this event was logged so often."""
    for _ in range(300):
        if web.log.read_text().count(f'"{event}"') >= count:
            return
        time.sleep(0.1)
    raise AssertionError(web.log.read_text()[-3000:])


def test_followed_streams_of_a_key_are_limited(flooded: WebProcess, live_team: Team) -> None:
    caller = make_caller(flooded, live_team.workspace, "sandbox/slow", rate_limit_requests=1000)
    with ExitStack() as stack:
        first = stack.enter_context(caller.stream(" ".join(["word"] * 200)))
        lines = first.iter_lines()  # closes the stream when it is dropped
        start = next(line for line in lines if "turnId" in line)
        turn = json.loads(start.removeprefix("data: "))["turnId"]
        url = f"{caller.url.removesuffix('/chat')}/turns/{turn}/stream"
        follow = partial(httpx.stream, "GET", url, timeout=20, verify=SSL_CONTEXT)
        for _ in range(4):
            followed = stack.enter_context(follow(headers=caller.all_headers))
            assert followed.status_code == 200
        refused = httpx.get(url, headers=caller.all_headers, timeout=20, verify=SSL_CONTEXT)
        assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        other = {"Authorization": f"Bearer {make_api_key_like(caller)}"}
        assert stack.enter_context(follow(headers=other)).status_code == 200
        stopped = httpx.post(
            url.replace("/stream", "/stop"), headers=other, timeout=20, verify=SSL_CONTEXT
        )
        assert stopped.status_code == 200


# WebSockets


def test_sockets_without_a_key_are_closed(caller: Caller) -> None:
    with open_connections(caller.web, websocket_request(caller), 100) as connections:
        assert_answers_others(caller)
        answers = read_to_the_end(connections)
    assert {data[9:12] for data in answers} == {b"101"}
    assert all(b"MISSING_AUTH_HEADER" in data for data in answers)


def test_idle_sockets_of_a_key_are_limited(caller: Caller) -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(open_socket(caller)) for _ in range(5)]
        for each in sockets:
            each.send("nothing")
            assert each.receive()["code"] == "VALIDATION_ERROR"  # it is authenticated by now
        close, _, (error,) = stack.enter_context(open_socket(caller)).wait_closed()
        assert (close, error["code"]) == (4429, "RATE_LIMIT_EXCEEDED")
        assert sockets[0].start_turn("hello")["type"] == "message.start"
        other = Caller(caller.web, caller.chatbot, make_api_key_like(caller))
        with open_socket(other) as socket_of_another_key:
            assert socket_of_another_key.start_turn("hello")["type"] == "message.start"


def make_api_key_like(caller: Caller) -> str:
    assert not isinstance(caller.chatbot, str)
    return make_api_key(caller.chatbot.workspace)


def test_unfinished_messages_are_cut_off(caller: Caller) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(open_socket(caller)) for _ in range(5)]
        before = resident_mebibytes(caller.web)
        for each in opened:
            send_unfinished(each.connection, 58)
        ends = [each.wait_closed() for each in opened]
    for code, _, frames in ends:
        # The kernel may still have had bytes for us when the server closed.
        assert code in (1009, 1006)
        assert {frame["code"] for frame in frames} <= {"PAYLOAD_TOO_LARGE"}
    assert_answers_others(caller)
    assert resident_mebibytes(caller.web) - before < 250


def test_message_in_many_pieces_is_received(caller: Caller) -> None:
    message = json.dumps({"type": "chat.send", "message": "x" * 30_000})
    with open_socket(caller) as chat:
        for _ in range(5):
            chat.connection.send(
                message[start : start + 500] for start in range(0, len(message), 500)
            )
            assert chat.receive_turn()[-1]["type"] == "message.end"


def send_unfinished(connection: ClientConnection, mebibytes: int) -> None:
    """Send a text message in pieces of 1 MiB, without its end."""
    piece = b"\x00" * MEBIBYTE  # masked with zeros
    head = bytes([0x01, 0xFF]) + MEBIBYTE.to_bytes(8, "big") + bytes(4)
    with suppress(OSError):
        for number in range(mebibytes):
            connection.socket.sendall((head if number == 0 else b"\x00" + head[1:]) + piece)


def websocket_request(caller: Caller, **headers: str) -> str:
    path = re.sub(r"^ws://[^/]*", "", chat_url(caller))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(
        (
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{caller.web.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *lines,
            "\r\n",
        )
    )


def resident_mebibytes(web: WebProcess) -> int:
    """The memory of the web process and its children."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in process_tree(web.process.pid)]
    kibibytes = re.findall(r"^VmRSS:\s+(\d+) kB", "\n".join(statuses), re.MULTILINE)
    return sum(map(int, kibibytes)) // 1024


def process_tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in process_tree(int(child)))]


def test_long_urls_of_sockets_are_refused(caller: Caller) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{chat_url(caller)}?q={'x' * 9000}"):
        pass
    assert refused.value.response.status_code == 414


def test_wrong_keys_are_limited_for_a_client_over_every_transport(caller: Caller) -> None:
    hostile = {"X-Forwarded-For": "2001:db8::1"}
    wrong = Caller(caller.web, caller.chatbot, "sk-workspace_wrong", hostile)
    assert Caller(caller.web, caller.chatbot, caller.key, hostile).post().status_code == 200
    assert Counter(wrong.post().status_code for _ in range(12)) == {401: 10, 429: 2}
    neighbour = {**wrong.all_headers, "X-Forwarded-For": "2001:db8::2"}  # in the same network
    for path in ("api-keys", "openai/models"):
        refused = httpx.get(
            f"{caller.web.url}/api/v1/{path}", headers=neighbour, verify=SSL_CONTEXT
        )
        assert (refused.status_code, 1 <= int(refused.headers["Retry-After"]) <= 60) == (429, True)
    with open_socket(wrong) as refused_socket:
        assert refused_socket.wait_closed()[0] == 4429
    assert Caller(caller.web, caller.chatbot, caller.key, hostile).post().status_code == 200
    assert_answers_others(caller)
