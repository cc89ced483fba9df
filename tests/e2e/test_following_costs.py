"""Redis calls of streams, and following turns without Redis."""

from __future__ import annotations

import threading

import httpx
import redis
from django.conf import settings

from tests.conftest import StartWeb
from tests.factories import Team
from tests.web_processes import SSL_CONTEXT, WebProcess, free_port, make_caller


class RedisMonitor(threading.Thread):
    """Records every command that is sent to the Redis database of this test."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.commands: list[str] = []
        self.client = redis.Redis.from_url(settings.REDIS_URL)
        self.started = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        own = int(self.client.connection_pool.connection_kwargs.get("db", 0))
        with self.client.monitor() as monitor:  # type: ignore[no-untyped-call]
            self.started.set()
            for entry in monitor.listen():
                if entry["db"] == own and entry["client_type"] != "lua":
                    self.commands.append(entry["command"])
                if "the-end" in entry["command"]:
                    break
        self.ended.set()


def test_stream_without_followers_makes_one_redis_call(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace, "sandbox/long")
    caller.post("Open the connections", stream=False)
    monitor = RedisMonitor()
    monitor.start()
    assert monitor.started.wait(10)
    frames = caller.frames()
    redis.Redis.from_url(settings.REDIS_URL).echo("the-end")
    assert monitor.ended.wait(10)
    assert len(frames) == 203
    assert not isinstance(caller.chatbot, str)
    commands = [command for command in monitor.commands if caller.chatbot.id in command]
    published = [command for command in monitor.commands if command.startswith("PUBLISH")]
    assert (len(commands), published) == (1, [])


def test_following_and_stopping_need_redis(
    own_web: StartWeb, web: WebProcess, live_team: Team
) -> None:
    isolated = own_web(ready_path="healthz", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    caller = make_caller(web, live_team.workspace, "sandbox/long")
    with caller.stream() as response:
        lines = response.iter_lines()
        start = next(line for line in lines if "turnId" in line)
        turn_id = start.split('"turnId":"')[1][:25]
        turn = f"{caller.at(isolated).url.removesuffix('/chat')}/turns/{turn_id}"
        headers = caller.all_headers
        responses = [
            httpx.get(f"{turn}/stream", headers=headers, verify=SSL_CONTEXT, timeout=20),
            httpx.post(f"{turn}/stop", headers=headers, verify=SSL_CONTEXT, timeout=20),
        ]
        remaining = [line for line in lines if line]
    assert [(a.status_code, a.json()["code"]) for a in responses] == [
        (503, "SERVICE_UNAVAILABLE")
    ] * 2
    assert (remaining[-3], remaining[-1]) == ("event: message.end", "data: [DONE]")
