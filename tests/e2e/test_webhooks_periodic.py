"""Webhooks delivered by the periodic task: the receiver is down, or the broker restarts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.database_state import wait_until
from tests.e2e.webhook_events import (
    all_delivered,
    assert_all_received,
    delivery_attempts,
    emit_events,
)
from tests.factories import Team, make_webhook_endpoint
from tests.valkey_server import ValkeyServer, start_valkey
from tests.web_processes import start_worker
from tests.webhook_receiver import Receiver, Reply


@pytest.fixture(scope="module")
def broker(committed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """The broker of a worker that the tests of this module share.

    The tests' own process uses another broker, so the worker finds deliveries periodically only.
    """
    folder = tmp_path_factory.mktemp("periodic")
    with (
        start_valkey(folder) as valkey,
        start_worker(folder, REDIS_URL=valkey.url, WEBHOOK_SWEEP_SECONDS=0.3),
    ):
        yield valkey


def test_events_are_delivered_when_the_receiver_is_up_again(
    broker: ValkeyServer, live_team: Team
) -> None:
    receiver = Receiver().start()
    receiver.stop()
    _, secret = make_webhook_endpoint(live_team.workspace, url=receiver.url)
    emit_events(live_team.workspace, 5)
    wait_until(lambda: delivery_attempts(live_team.workspace)[0] >= 2)
    assert receiver.connections == 0
    with receiver:
        wait_until(lambda: all_delivered(live_team.workspace))
    assert_all_received(live_team.workspace, receiver, secret)


def test_events_are_delivered_after_a_broker_restart(broker: ValkeyServer, live_team: Team) -> None:
    with Receiver() as receiver:
        _, secret = make_webhook_endpoint(live_team.workspace, url=receiver.url)
        emit_events(live_team.workspace, 3)
        wait_until(lambda: all_delivered(live_team.workspace))
        broker.stop()
        emit_events(live_team.workspace, 3)
        broker.start()
        wait_until(lambda: all_delivered(live_team.workspace), seconds=30)
    assert_all_received(live_team.workspace, receiver, secret)


def test_hanging_endpoints_delay_no_other_workspace(broker: ValkeyServer, live_team: Team) -> None:
    """The other's event is delivered before most that wait for longer were tried."""
    with Receiver(lambda _: Reply(delay=10)) as hanging, Receiver() as quick:
        for _ in range(4):
            make_webhook_endpoint(live_team.workspace, url=hanging.url)
        emit_events(live_team.workspace, 20)
        wait_until(lambda: hanging.connections)
        make_webhook_endpoint(live_team.other_workspace, url=quick.url)
        emit_events(live_team.other_workspace, 1)
        wait_until(lambda: quick.received)
        assert hanging.connections < 40
