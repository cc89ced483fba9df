"""httpx-sse, curl and readers of lines read the server-sent events."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
import requests
from httpx_sse import ServerSentEvent, connect_sse

from tests.factories import Team, make_api_key, make_chatbot
from tests.web_processes import Caller, WebProcess


@pytest.fixture
def caller(web_pair: tuple[WebProcess, WebProcess], live_team: Team) -> Caller:
    chatbot = make_chatbot(live_team.workspace, "sandbox/long")
    return Caller(web_pair[0], chatbot, make_api_key(live_team.workspace))


def test_httpx_sse_resumes_an_interrupted_stream(
    web_pair: tuple[WebProcess, WebProcess], caller: Caller
) -> None:
    events: list[ServerSentEvent] = []
    body = {"message": "Count", "stream": True}
    with (
        httpx.Client(headers=caller.all_headers, timeout=30) as client,
        connect_sse(client, "POST", caller.url, json=body) as source,
    ):
        for event in source.iter_sse():
            events.append(event)
            if len(events) == 50:
                break
    turn_id = events[0].json()["turnId"]
    url = f"{caller.at(web_pair[1]).url.removesuffix('/chat')}/turns/{turn_id}/stream"
    headers = {**caller.all_headers, "Last-Event-ID": events[-1].id}
    with (
        httpx.Client(headers=headers, timeout=30) as client,
        connect_sse(client, "GET", url) as source,
    ):
        events += source.iter_sse()
    assert events.pop().data == "[DONE]"
    assert [event.id for event in events] == [str(number) for number in range(1, 203)]
    text = "".join(event.json()["delta"] for event in events[1:-1])
    assert {event.event for event in events[1:-1]} == {"message.delta"}
    assert events[-1].json()["data"]["response"] == text
    assert text.split() == [str(number) for number in range(1, 201)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_prints_the_events(web: WebProcess, live_team: Team) -> None:
    caller = Caller(web, make_chatbot(live_team.workspace), make_api_key(live_team.workspace))
    command = ["curl", "--silent", "--no-buffer", "--fail-with-body", caller.url]
    command += ["-H", f"Authorization: Bearer {caller.key}", "-H", "Content-Type: application/json"]
    command += ["-d", json.dumps({"message": "Hello", "stream": True})]
    output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    first, *_, done = output.strip().split("\n\n")
    assert first.startswith("id: 1\nevent: message.start\ndata: {")
    assert done == "data: [DONE]"


def read_with_requests(url: str, headers: dict[str, str], body: Any) -> list[str]:
    with requests.post(url, headers=headers, json=body, stream=True, timeout=30) as answer:
        return [str(line) for line in answer.iter_lines(decode_unicode=True)]


def read_with_httpx(url: str, headers: dict[str, str], body: Any) -> list[str]:
    with httpx.stream("POST", url, headers=headers, json=body, timeout=30) as answer:
        return list(answer.iter_lines())


def answer_in(lines: Iterable[str]) -> str:
    """The text of all deltas, in the frames of any of the three protocols."""
    text = ""
    for line in lines:
        assert not line or line.startswith(("id: ", "event: ", "data: "))
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            text += event.get("delta", "")
            text += "".join(one["delta"].get("content", "") for one in event.get("choices", ()))
    return text


@pytest.mark.parametrize("read", [read_with_requests, read_with_httpx])
def test_readers_of_lines_read_an_answer_with_odd_line_breaks(
    web: WebProcess, live_team: Team, read: Callable[..., list[str]]
) -> None:
    chatbot = make_chatbot(live_team.workspace)
    caller = Caller(web, chatbot, make_api_key(live_team.workspace))
    message = "a\x85\x85b\u2028c \u2029\x0b\x0cd\x1ce\r\nf 山"
    native = {"message": message, "stream": True}
    headers = {**caller.all_headers, "Idempotency-Key": "same"}
    completion = {
        "model": chatbot.id,
        "messages": [{"role": "user", "content": message}],
        "stream": True,
    }
    answers = [
        answer_in(read(caller.url, headers, native)),
        answer_in(read(caller.url, headers, native)),  # replayed from PostgreSQL
        answer_in(read(f"{caller.url}?protocol=ai-sdk", caller.all_headers, native)),
        answer_in(
            read(f"{web.url}/api/v1/openai/chat/completions", caller.all_headers, completion)
        ),
    ]
    assert answers == [f"Echo: {message}"] * 4
