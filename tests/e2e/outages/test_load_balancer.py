"""Web processes behind a load balancer: turns are resumed, and a deploy under load loses none."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

import httpx

from apps.chatbots.models import Chatbot
from apps.conversations.models import Message
from tests.balancer import Balancer, run_balancer
from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, Frame, WebProcess, make_caller, parse_frames

CALLERS = 10
TURNS = 60
MESSAGE = "one two three four five six"


def chatbot_url(balancer: Balancer, caller: Caller) -> str:
    assert isinstance(caller.chatbot, Chatbot)
    return f"{balancer.url}/api/v1/chatbots/{caller.chatbot.id}"


def iterate_frames(response: httpx.Response) -> Iterator[Frame | str]:
    """The frames of a stream, as they arrive."""
    block = ""
    for line in response.iter_lines():
        block += line + "\n"
        if not line:
            yield from parse_frames(block)
            block = ""


def test_turn_is_resumed_through_a_load_balancer(
    web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    caller = make_caller(web_pair[0], live_team.workspace, "sandbox/long")
    ports = [web.port for web in web_pair]
    with (
        run_balancer(*ports) as balancer,
        httpx.Client(headers=caller.all_headers, verify=SSL_CONTEXT) as client,
    ):
        url = chatbot_url(balancer, caller)
        body = {"message": "Count", "stream": True}
        with client.stream("POST", f"{url}/chat", json=body) as response:
            read = list(islice(iterate_frames(response), 5))
        assert isinstance(read[0], Frame)
        stream = f"{url}/turns/{read[0].data['turnId']}/stream"
        with client.stream("GET", stream, headers={"Last-Event-ID": "5"}) as response:
            read += islice(iterate_frames(response), 45)
        with client.stream("GET", stream, headers={"Last-Event-ID": "50"}) as response:
            read += iterate_frames(response)
        replays = [
            parse_frames(client.get(stream, params={"after": number}).text)
            for number in (0, 5, 50, 202)
        ]
        owner, other = balancer.served_ports[:2]
        assert balancer.served_ports == [owner, other, owner, other, owner, other, owner]
    assert {owner, other} == set(ports)
    assert read[-1] == "[DONE]"
    frames = [frame for frame in read if isinstance(frame, Frame)]
    assert [frame.id for frame in frames] == list(range(1, 203))
    answer = Message.objects.get(turn_id=frames[0].data["turnId"], role="assistant").text
    assert "".join(frame.data.get("delta", "") for frame in frames) == answer
    assert replays == [read, read[5:], read[50:], ["[DONE]"]]


class Load:
    """Callers that send requests until `stopped` is set, alternately as JSON and as streams."""

    def __init__(self, url: str, caller: Caller) -> None:
        self.answers: list[str] = []
        self.stopped = threading.Event()
        self._url = url
        self._headers = caller.all_headers

    def run_caller(self, number: int) -> None:
        """Run one caller, which retries rejected requests with the same idempotency key."""
        count = 0
        while not self.stopped.is_set():
            count += 1
            key = {"Idempotency-Key": f"{number}-{count}"}
            body = {"message": MESSAGE, "stream": bool((number + count) % 2)}
            while (response := self._post(body, key)).status_code != 200:
                assert response.status_code == 503, response.text
                assert int(response.headers["Retry-After"]) >= 1
                time.sleep(0.1)
            self.answers.append(self._read_answer(response))

    def _post(self, body: dict[str, object], key: dict[str, str]) -> httpx.Response:
        headers = self._headers | key
        return httpx.post(self._url, json=body, headers=headers, timeout=30, verify=SSL_CONTEXT)

    def _read_answer(self, response: httpx.Response) -> str:
        if response.headers["Content-Type"] == "application/json":
            return str(response.json()["data"]["response"])
        *deltas, end, done = parse_frames(response.text)[1:]
        assert done == "[DONE]"
        assert isinstance(end, Frame)
        text = "".join(delta.data["delta"] for delta in deltas if isinstance(delta, Frame))
        assert text == end.data["data"]["response"]
        return text


def is_busy(balancer: Balancer, web: WebProcess) -> bool:
    """Whether the process responded to several of the latest requests."""
    return balancer.served_ports[-2 * CALLERS :].count(web.port) > 2


def test_deploy_under_load_loses_no_turn(own_web: StartWeb, live_team: Team) -> None:
    with ThreadPoolExecutor(CALLERS) as pool, ThreadPoolExecutor(2) as starter:
        old = list(starter.map(lambda _: own_web(), range(2)))
        model = make_language_model("sandbox/slow", credits_per_reply=1)
        caller = make_caller(
            old[0], live_team.workspace, model, credits=1000, rate_limit_requests=1000
        )
        with run_balancer(*(web.port for web in old)) as balancer:
            load = Load(f"{chatbot_url(balancer, caller)}/chat", caller)
            callers = [pool.submit(load.run_caller, number) for number in range(CALLERS)]
            try:
                new = starter.map(lambda _: own_web(), range(2))
                for old_web, new_web in zip(old, new, strict=True):
                    wait_until(partial(is_busy, balancer, old_web))
                    balancer.targets.append(new_web.port)
                    old_web.terminate()
                    assert old_web.process.wait(timeout=30) == 0
                    balancer.targets.remove(old_web.port)
                target = max(TURNS, len(load.answers) + CALLERS)
                wait_until(lambda: len(load.answers) >= target)
            finally:
                load.stopped.set()
            for each in callers:
                each.result(timeout=30)
    count = len(load.answers)
    assert load.answers == [f"Echo: {MESSAGE}"] * count
    assert turn_statuses(live_team.workspace) == ["completed"] * count
    assert credit_state(live_team.workspace) == (1000 - count, 0, [-1] * count)
    assert {web.port for web in old} < set(balancer.served_ports)
