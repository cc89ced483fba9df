"""Redis goes and comes back: what is unavailable meanwhile, and that nothing needs a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.chat_sockets import make_paying_caller, open_socket
from tests.conftest import StartWeb
from tests.e2e.database_state import post_concurrently, turn_statuses, wait_until
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import expire_heartbeat, make_running_turn
from tests.valkey_server import ValkeyServer, start_valkey
from tests.web_processes import SSL_CONTEXT, WebProcess, start_worker

UNAVAILABLE = (503, "SERVICE_UNAVAILABLE")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Redis that this test may stop."""
    with start_valkey(tmp_path) as server:
        yield server


def test_everything_works_again_when_redis_is_back(
    own_web: StartWeb, live_team: Team, redis: ValkeyServer
) -> None:
    with ThreadPoolExecutor(2) as pool:
        here, there = pool.map(lambda _: own_web(REDIS_URL=redis.url), range(2))
    caller = make_paying_caller(here, live_team, "sandbox/long", rate_limit_requests=10)

    def ask(web: WebProcess, method: str, path: str, turn_id: str) -> httpx.Response:
        url = f"{caller.at(web).url.removesuffix('/chat')}/turns/{turn_id}/{path}"
        return httpx.request(
            method, url, headers=caller.all_headers, timeout=20, verify=SSL_CONTEXT
        )

    with open_socket(caller) as opener, open_socket(caller, there) as follower:
        turn_id = opener.start_turn("count")["turnId"]
        redis.stop()
        refused = [ask(there, "GET", "stream", turn_id), ask(there, "POST", "stop", turn_id)]
        follower.send("turn.follow", turnId=turn_id)
        told = follower.receive()
        assert [(r.status_code, r.json()["code"]) for r in refused] == [UNAVAILABLE] * 2
        assert [int(r.headers["Retry-After"]) for r in refused] == [5, 5]
        assert (told["code"], told["retryAfter"]) == ("SERVICE_UNAVAILABLE", 5)
        late = own_web(ready_path="healthz", REDIS_URL=redis.url)
        assert [frame["id"] for frame in opener.receive_turn()] == list(range(2, 203))

        redis.start()
        wait_until(lambda: listeners(redis) == 3)
        # Between processes that were there, and to and from one that began without Redis.
        for runs, follows in ((here, there), (here, late), (late, here)):
            with open_socket(caller, runs) as opener, open_socket(caller, follows) as other:
                turn_id = opener.start_turn("count")["turnId"]
                other.send("turn.follow", turnId=turn_id)
                assert [other.receive()["id"] for _ in range(10)] == list(range(1, 11))
                stopped = ask(follows, "POST", "stop", turn_id).json()["data"]
                assert stopped["finishReason"] == "stopped"
                assert (
                    other.receive_turn()[-1]["data"] == opener.receive_turn()[-1]["data"] == stopped
                )
        # The socket that was refused, on the connection that it has had all the time.
        follower.send("turn.follow", turnId=turn_id)
        assert follower.receive_turn()[-1]["data"] == stopped
    # The limit is one again: of ten, three were taken since Redis came back empty.
    statuses = [
        r.status_code for r in post_concurrently([caller, caller.at(there), caller.at(late)] * 5)
    ]
    assert Counter(statuses) == {200: 7, 429: 8}


def listeners(redis: ValkeyServer) -> int:
    """How many web processes listen to each other."""
    with Redis.from_url(redis.url) as client:
        return len(client.pubsub_channels("process.*"))


def test_swept_turns_and_jobs_go_on_when_redis_is_back(
    live_team: Team, redis: ValkeyServer, tmp_path: Path
) -> None:
    with start_worker(tmp_path, REDIS_URL=redis.url):
        wait_until(lambda: " ready." in (tmp_path / "worker.log").read_text())
        redis.stop()
        expire_heartbeat(make_running_turn(make_chatbot(live_team.workspace)))
        redis.start()
        wait_until(lambda: turn_statuses(live_team.workspace) == ["abandoned"], seconds=60)
