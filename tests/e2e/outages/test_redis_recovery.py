"""Redis stops and starts again: what is unavailable meanwhile, and recovery without a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from redis import Redis

from tests.chat_sockets import make_paying_caller, open_socket
from tests.conftest import StartWeb
from tests.e2e.database_state import post_concurrently, turn_statuses, wait_until
from tests.e2e.webhook_events import all_delivered, emit_events
from tests.factories import Team, make_chatbot, make_webhook_endpoint
from tests.turns.turn_factory import expire_heartbeat, make_running_turn
from tests.valkey_server import ValkeyServer, start_valkey
from tests.web_processes import SSL_CONTEXT, WebProcess, start_worker
from tests.webhook_receiver import Receiver, Reply

UNAVAILABLE = (503, "SERVICE_UNAVAILABLE")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Redis that this test may stop."""
    with start_valkey(tmp_path) as server:
        yield server


def test_everything_works_after_redis_restarts(
    own_web: StartWeb, live_team: Team, redis: ValkeyServer
) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: own_web(REDIS_URL=redis.url), range(2))
    caller = make_paying_caller(first, live_team, "sandbox/long", rate_limit_requests=10)

    def send(web: WebProcess, method: str, path: str, turn_id: str) -> httpx.Response:
        url = f"{caller.at(web).url.removesuffix('/chat')}/turns/{turn_id}/{path}"
        return httpx.request(
            method, url, headers=caller.all_headers, timeout=20, verify=SSL_CONTEXT
        )

    with open_socket(caller) as opener, open_socket(caller, second) as follower:
        turn_id = opener.start_turn("count")["turnId"]
        redis.stop()
        rejected = [send(second, "GET", "stream", turn_id), send(second, "POST", "stop", turn_id)]
        follower.send("turn.follow", turnId=turn_id)
        error = follower.receive()
        assert [(r.status_code, r.json()["code"]) for r in rejected] == [UNAVAILABLE] * 2
        assert [int(r.headers["Retry-After"]) for r in rejected] == [5, 5]
        assert (error["code"], error["retryAfter"]) == ("SERVICE_UNAVAILABLE", 5)
        late = own_web(ready_path="healthz", REDIS_URL=redis.url)
        assert [frame["id"] for frame in opener.receive_turn()] == list(range(2, 203))

        redis.start()
        wait_until(lambda: count_listeners(redis) == 3)
        # Between running processes, and to and from one that started without Redis.
        for owner, other_web in ((first, second), (first, late), (late, first)):
            with open_socket(caller, owner) as opener, open_socket(caller, other_web) as other:
                turn_id = opener.start_turn("count")["turnId"]
                other.send("turn.follow", turnId=turn_id)
                assert [other.receive()["id"] for _ in range(10)] == list(range(1, 11))
                stopped = send(other_web, "POST", "stop", turn_id).json()["data"]
                assert stopped["finishReason"] == "stopped"
                assert (
                    other.receive_turn()[-1]["data"] == opener.receive_turn()[-1]["data"] == stopped
                )
        # The socket whose command was rejected, on the same connection.
        follower.send("turn.follow", turnId=turn_id)
        assert follower.receive_turn()[-1]["data"] == stopped
    # The limit is shared again: three of ten slots were taken since Redis started empty.
    statuses = [
        r.status_code for r in post_concurrently([caller, caller.at(second), caller.at(late)] * 5)
    ]
    assert Counter(statuses) == {200: 7, 429: 8}


def count_listeners(redis: ValkeyServer) -> int:
    """How many web processes subscribe to their channels."""
    with Redis.from_url(redis.url) as client:
        return len(client.pubsub_channels("process.*"))


def test_worker_continues_after_redis_restarts(
    live_team: Team, redis: ValkeyServer, tmp_path: Path
) -> None:
    with start_worker(tmp_path, REDIS_URL=redis.url):
        wait_until(lambda: " ready." in (tmp_path / "worker.log").read_text())
        redis.stop()
        expire_heartbeat(make_running_turn(make_chatbot(live_team.workspace)))
        redis.start()
        wait_until(lambda: turn_statuses(live_team.workspace) == ["abandoned"], seconds=60)


def has_connections(receiver: Receiver, count: int) -> bool:
    return receiver.connections >= count


def test_worker_survives_redis_killed_under_unacknowledged_tasks(
    live_team: Team, redis: ValkeyServer, tmp_path: Path
) -> None:
    """The tasks end, and are acknowledged, after the connection that they came over is gone."""
    workspace = live_team.workspace
    with (
        Receiver(lambda _: Reply(delay=2)) as receiver,
        start_worker(tmp_path, REDIS_URL=redis.url, WEBHOOK_TIMEOUT_SECONDS=10) as worker,
    ):
        make_webhook_endpoint(workspace, url=receiver.url)
        for count in (1, 2):
            emit_events(workspace, 1)
            wait_until(partial(has_connections, receiver, count), seconds=60)
            redis.stop()
            redis.start()
            wait_until(lambda: all_delivered(workspace), seconds=60)
        assert worker.poll() is None
    assert "Unrecoverable" not in (tmp_path / "worker.log").read_text()


def test_tasks_sent_while_redis_is_away_are_sent_on_its_return(
    own_web: StartWeb, live_team: Team, redis: ValkeyServer
) -> None:
    """No worker and no schedule runs: only the web process could have sent the task."""
    caller = make_paying_caller(own_web(REDIS_URL=redis.url), live_team, "sandbox/echo")
    make_webhook_endpoint(live_team.workspace)
    redis.stop()
    assert [caller.post().status_code for _ in range(3)] == [200] * 3
    redis.start()

    # As the processes of each pytest worker do, use the Redis database of its number.
    url = urlsplit(redis.url)._replace(path=urlsplit(settings.REDIS_URL).path).geturl()

    def is_queued() -> bool:
        with Redis.from_url(url) as client:
            return bool(client.llen("webhooks"))

    wait_until(is_queued)
