"""Tests of choosing free ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from local.errors import LocalError
from local.servers import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def test_free_ports_skips_a_taken_port(taken: int) -> None:
    assert next(ports.free_ports(taken)) > taken


def test_is_free_rejects_a_port_taken_on_every_address() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104
        assert not ports.is_free(server.getsockname()[1])


def test_require_port_rejects_a_taken_port_and_suggests_another(taken: int) -> None:
    with pytest.raises(LocalError, match=rf"Port {taken} is taken .* make demo PORT=\d+"):
        ports.require_port(taken)


def test_require_port_rejects_an_invalid_port() -> None:
    with pytest.raises(LocalError, match="PORT=70000 is not a port"):
        ports.require_port(70_000)


def test_random_free_ports_are_below_the_ephemeral_range() -> None:
    port = next(ports.random_free_ports())
    assert ports.RANDOM_FIRST <= port < ports.RANDOM_LAST
