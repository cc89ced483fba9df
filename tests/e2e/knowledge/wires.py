"""Ask a chatbot over each wire, and read what it says of its sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chat_sockets import open_socket
from tests.web_processes import SSL_CONTEXT, Caller, Frame

Source = dict[str, Any]


@dataclass
class Told:
    """What a caller is told. `sources`: those of the whole answer; `before_text`: those that a
    stream has before its text, without `cited`; `links`: addresses that the wire itself marks."""

    text: str
    sources: list[Source]
    before_text: list[Source] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def ask_json(caller: Caller, question: str) -> Told:
    data = caller.post(question, stream=False).json()["data"]
    return Told(data["response"], data["sources"])


def ask_sse(caller: Caller, question: str) -> Told:
    frames = [each for each in caller.frames(question) if isinstance(each, Frame)]
    start, found, *deltas, end = frames
    assert [frame.id for frame in frames] == list(range(1, len(frames) + 1))
    assert (start.event, found.event, end.event) == (
        "message.start",
        "message.sources",
        "message.end",
    )
    text = "".join(frame.data["delta"] for frame in deltas)
    return Told(text, end.data["data"]["sources"], found.data["sources"])


def ask_ai_sdk(caller: Caller, question: str) -> Told:
    parts = _data_lines(
        httpx.post(
            f"{caller.url}?protocol=ai-sdk",
            json={"message": question},
            headers=caller.all_headers,
            timeout=30,
            verify=SSL_CONTEXT,
        )
    )
    kinds = [part["type"] for part in parts]
    found = [part for part in parts if part["type"].startswith("source-")]
    assert kinds[1 : 1 + len(found)] == [part["type"] for part in found]
    assert len({part["sourceId"] for part in found}) == len(found)
    (finish,) = [part for part in parts if part["type"] == "finish"]
    return Told(
        "".join(part["delta"] for part in parts if part["type"] == "text-delta"),
        finish["messageMetadata"]["sources"],
        [
            {"title": part["title"], "url": part.get("url"), **part["providerMetadata"]["parley"]}
            for part in found
        ],
        [part["url"] for part in found if part["type"] == "source-url"],
    )


def ask_openai(caller: Caller, question: str) -> Told:
    completion = _post_completion(caller, question).json()
    message = completion["choices"][0]["message"]
    return Told(
        message["content"],
        completion["sources"],
        links=[each["url_citation"]["url"] for each in message["annotations"]],
    )


def ask_openai_stream(caller: Caller, question: str) -> Told:
    first, found, *others = _data_lines(_post_completion(caller, question, stream=True))
    assert first["choices"][0]["delta"]["role"] == "assistant"
    deltas = [chunk["choices"][0]["delta"] for chunk in others]
    annotations = [each for delta in deltas for each in delta.get("annotations", [])]
    text = "".join(delta.get("content", "") for delta in deltas)
    links = [each["url_citation"]["url"] for each in annotations]
    return Told(text, [], found["sources"], links)


def ask_socket(caller: Caller, question: str) -> Told:
    with open_socket(caller) as socket:
        socket.send("chat.send", message=question)
        frames = socket.receive_turn()
    start, found, *deltas, end = frames
    assert [frame["id"] for frame in frames] == list(range(1, len(frames) + 1))
    assert (start["type"], found["type"], end["type"]) == (
        "message.start",
        "message.sources",
        "message.end",
    )
    text = "".join(frame["delta"] for frame in deltas)
    return Told(text, end["data"]["sources"], found["sources"])


WIRES: tuple[Callable[[Caller, str], Told], ...] = (
    ask_json,
    ask_sse,
    ask_ai_sdk,
    ask_openai,
    ask_openai_stream,
    ask_socket,
)


def _post_completion(caller: Caller, question: str, **fields: Any) -> httpx.Response:
    chatbot_id = caller.chatbot if isinstance(caller.chatbot, str) else caller.chatbot.id
    return httpx.post(
        f"{caller.web.url}/api/v1/openai/chat/completions",
        json={
            "model": chatbot_id,
            "messages": [{"role": "user", "content": question}],
            **fields,
        },
        headers=caller.all_headers,
        timeout=30,
        verify=SSL_CONTEXT,
    )


def _data_lines(response: httpx.Response) -> list[Any]:
    """The objects of a stream, which must end with `[DONE]`."""
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]", response.text
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
