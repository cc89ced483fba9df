"""The kernel's view of connections, on real sockets, and what is judged by it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.test import override_settings

from apps.infrastructure.limits.connection_watch import IncomingMessages, SlowReaders, too_long
from apps.infrastructure.limits.connections import (
    Connection,
    ConnectionTable,
    Traffic,
    detect_dead_peers,
    read_traffic,
    reset,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A client's socket, and that which a listening socket of this process accepted for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            yield client, accepted


def find(pair: Pair) -> Connection:
    (found,) = [c for c in ConnectionTable().read() if c.peer == pair[0].getsockname()]
    return found


def traffic(connection: Connection) -> Traffic:
    state = read_traffic(connection)
    assert state is not None
    return state


def test_accepted_connections_are_found(pair: Pair) -> None:
    client, accepted = pair
    table = ConnectionTable()
    for _ in range(2):
        peers = {connection.peer: connection.descriptor for connection in table.read()}
        assert peers[client.getsockname()] == accepted.fileno()
        assert accepted.getsockname() not in peers  # that is our own, outgoing connection


def test_traffic_is_counted(pair: Pair) -> None:
    client, accepted = pair
    connection = find(pair)
    client.sendall(b"x" * 1000)
    assert accepted.recv(1000, socket.MSG_WAITALL) == b"x" * 1000
    accepted.sendall(b"y" * 500)
    assert client.recv(500, socket.MSG_WAITALL) == b"y" * 500
    state = traffic(connection)
    assert (state.received, state.acknowledged + state.pending) == (1000, 500)


def test_what_is_not_read_is_pending(pair: Pair) -> None:
    _, accepted = pair
    connection = find(pair)
    accepted.setblocking(False)
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += accepted.send(b"x" * 65536)
    state = traffic(connection)
    assert state.pending > 0
    assert state.acknowledged + state.pending == sent


def test_reset_ends_a_connection_and_no_other(pair: Pair) -> None:
    client, accepted = pair
    connection = find(pair)
    reset(Connection(connection.descriptor, connection.inode + 1, connection.peer))
    client.sendall(b"x")
    assert accepted.recv(1) == b"x"
    reset(connection)
    assert accepted.recv(1) == b""
    accepted.close()
    with suppress(ConnectionResetError):
        assert client.recv(1) == b""
    assert read_traffic(connection) is None


def test_dead_peers_of_accepted_connections_are_detected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        detect_dead_peers(listener)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


# Slow readers

ONE = Connection(1, 1, ("192.0.2.1", 1))


def judge(*states: tuple[float, int, int]) -> list[bool]:
    """Whether a connection is too slow at each time, by what it acknowledged and what waits."""
    readers = SlowReaders(seconds=30)
    return [
        readers.find({ONE: Traffic(0, acknowledged, pending)}, now) == [ONE]
        for now, acknowledged, pending in states
    ]


def test_reader_that_takes_nothing_is_slow() -> None:
    assert judge((0, 100, 50_000), (20, 100, 50_000), (30, 100, 50_000)) == [False, False, True]


def test_reader_that_takes_a_little_is_slow() -> None:
    assert judge((0, 0, 90_000), (15, 5_000, 85_000), (30, 9_000, 81_000))[-1]
    assert not any(judge((0, 0, 90_000), (15, 20_000, 70_000), (30, 40_000, 50_000)))


def test_reader_that_takes_all_that_waits_is_not_slow() -> None:
    slow_stream = [(float(second), 10 * second, 10) for second in range(0, 300, 2)]
    assert not any(judge(*slow_stream))
    assert not any(judge((0, 0, 500), (20, 500, 0), (40, 500, 300), (60, 500, 300)))


# Unfinished messages


def messages() -> IncomingMessages:
    return IncomingMessages(("192.0.2.1", 1))


def test_unfinished_bytes_count_from_the_last_message() -> None:
    one = messages()
    assert one.unfinished_bytes(500, now=0) == 0
    assert one.unfinished_bytes(5_000_500, now=0) == 5_000_000
    one.count += 1
    assert one.unfinished_bytes(6_000_000, now=0) == 0
    assert one.unfinished_bytes(6_000_100, now=0) == 100


def test_pings_are_not_taken_for_a_message() -> None:
    one = messages()
    one.unfinished_bytes(0, now=0)
    assert one.unfinished_bytes(3600 * 20, now=3600) < 0


@override_settings(API_MAX_BODY_BYTES=1000, MAX_UNFINISHED_MESSAGE_BYTES=5000)
def test_too_long_messages_are_found_alone_and_together() -> None:
    sockets = [messages() for _ in range(6)]
    assert too_long(dict(zip(sockets, [2001, 2000, 0, -5], strict=False))) == [sockets[0]]
    assert too_long(dict(zip(sockets, [900] * 5, strict=False))) == []
    sizes = dict(zip(sockets, [1500, 900, 900, 900, 900, 1000], strict=True))
    assert too_long(sizes) == [sockets[0]]
