"""Several web processes behind one address: turns resumed through it, and a deploy under load."""

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


def chat_url(front: Balancer, caller: Caller) -> str:
    assert isinstance(caller.chatbot, Chatbot)
    return f"{front.url}/api/v1/chatbots/{caller.chatbot.id}"


def frames_in(response: httpx.Response) -> Iterator[Frame | str]:
    """A stream's frames, as they come."""
    block = ""
    for line in response.iter_lines():
        block += line + "\n"
        if not line:
            yield from parse_frames(block)
            block = ""


def test_turn_is_resumed_through_one_address_from_process_to_process(
    web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    caller = make_caller(web_pair[0], live_team.workspace, "sandbox/long")
    ports = [web.port for web in web_pair]
    with (
        run_balancer(*ports) as front,
        httpx.Client(headers=caller.all_headers, verify=SSL_CONTEXT) as client,
    ):
        chat = chat_url(front, caller)
        body = {"message": "Count", "stream": True}
        with client.stream("POST", f"{chat}/chat", json=body) as response:
            read = list(islice(frames_in(response), 5))
        assert isinstance(read[0], Frame)
        stream = f"{chat}/turns/{read[0].data['turnId']}/stream"
        with client.stream("GET", stream, headers={"Last-Event-ID": "5"}) as response:
            read += islice(frames_in(response), 45)
        with client.stream("GET", stream, headers={"Last-Event-ID": "50"}) as response:
            read += frames_in(response)
        ended = [
            parse_frames(client.get(stream, params={"after": number}).text)
            for number in (0, 5, 50, 202)
        ]
        runs, other = front.served_ports[:2]
        assert front.served_ports == [runs, other, runs, other, runs, other, runs]
    assert {runs, other} == set(ports)
    assert read[-1] == "[DONE]"
    frames = [frame for frame in read if isinstance(frame, Frame)]
    assert [frame.id for frame in frames] == list(range(1, 203))
    answer = Message.objects.get(turn_id=frames[0].data["turnId"], role="assistant").text
    assert "".join(frame.data.get("delta", "") for frame in frames) == answer
    assert ended == [read, read[5:], read[50:], ["[DONE]"]]


class Load:
    """Callers who ask again and again, as JSON and as streams in turn, until told to stop."""

    def __init__(self, url: str, caller: Caller) -> None:
        self.answers: list[str] = []
        self.over = threading.Event()
        self._url = url
        self._headers = caller.all_headers

    def call(self, number: int) -> None:
        """One caller, who repeats what was refused under the same idempotency key."""
        count = 0
        while not self.over.is_set():
            count += 1
            key = {"Idempotency-Key": f"{number}-{count}"}
            body = {"message": MESSAGE, "stream": bool((number + count) % 2)}
            while (response := self._post(body, key)).status_code != 200:
                assert response.status_code == 503, response.text
                assert int(response.headers["Retry-After"]) >= 1
                time.sleep(0.1)
            self.answers.append(self._answer(response))

    def _post(self, body: dict[str, object], key: dict[str, str]) -> httpx.Response:
        headers = self._headers | key
        return httpx.post(self._url, json=body, headers=headers, timeout=30, verify=SSL_CONTEXT)

    def _answer(self, response: httpx.Response) -> str:
        if response.headers["Content-Type"] == "application/json":
            return str(response.json()["data"]["response"])
        *deltas, end, done = parse_frames(response.text)[1:]
        assert done == "[DONE]"
        assert isinstance(end, Frame)
        told = "".join(delta.data["delta"] for delta in deltas if isinstance(delta, Frame))
        assert told == end.data["data"]["response"]
        return told


def is_busy(front: Balancer, web: WebProcess) -> bool:
    return front.served_ports[-2 * CALLERS :].count(web.port) > 2


def test_deploy_under_load_loses_no_turn(own_web: StartWeb, live_team: Team) -> None:
    with ThreadPoolExecutor(CALLERS) as pool, ThreadPoolExecutor(2) as starting:
        old = list(starting.map(lambda _: own_web(), range(2)))
        model = make_language_model("sandbox/slow", credits_per_reply=1)
        caller = make_caller(
            old[0], live_team.workspace, model, credits=1000, rate_limit_requests=1000
        )
        with run_balancer(*(web.port for web in old)) as front:
            load = Load(f"{chat_url(front, caller)}/chat", caller)
            callers = [pool.submit(load.call, number) for number in range(CALLERS)]
            try:
                new = starting.map(lambda _: own_web(), range(2))
                for leaving, coming in zip(old, new, strict=True):
                    wait_until(partial(is_busy, front, leaving))
                    front.targets.append(coming.port)
                    leaving.terminate()
                    assert leaving.process.wait(timeout=30) == 0
                    front.targets.remove(leaving.port)
                most = max(TURNS, len(load.answers) + CALLERS)
                wait_until(lambda: len(load.answers) >= most)
            finally:
                load.over.set()
            for done in callers:
                done.result(timeout=30)
    asked = len(load.answers)
    assert load.answers == [f"Echo: {MESSAGE}"] * asked
    assert turn_statuses(live_team.workspace) == ["completed"] * asked
    assert credit_state(live_team.workspace) == (1000 - asked, 0, [-1] * asked)
    assert {web.port for web in old} < set(front.served_ports)
