"""Answers from knowledge: old ones keep their sources, and nobody sees another's."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from apps.audit.services import SYSTEM
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.pipeline.erasing import erase_discarded
from apps.knowledge.services.sources import delete_source
from tests.chat_sockets import open_socket
from tests.conftest import StartWeb
from tests.e2e.knowledge.wires import WIRES, ask_json
from tests.factories import Team, make_api_key, make_chatbot
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.chatbot_knowledge import change_text, give_knowledge
from tests.web_processes import SSL_CONTEXT, Caller, Frame, WebProcess, parse_frames

QUESTION = "For how many days is the samovar guaranteed?"
OLD, NEW = "The samovar is guaranteed for 90 days.", "The samovar is guaranteed for 365 days."


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    """A caller of a chatbot whose knowledge says OLD."""
    chatbot = make_chatbot(live_team.workspace, "sandbox/cite", rate_limit_requests=1000)
    give_knowledge(chatbot, {"Guarantee": OLD})
    return Caller(web, chatbot, make_api_key(live_team.workspace, ["chat", "read", "manage"]))


def get(caller: Caller, path: str, key: str | None = None) -> httpx.Response:
    """A GET below /api/v1."""
    headers = {"Authorization": f"Bearer {key or caller.key}"}
    url = f"{caller.web.url}/api/v1{path}"
    return httpx.get(url, headers=headers, timeout=30, verify=SSL_CONTEXT)


def stream_of(caller: Caller, data: dict[str, Any], **query: Any) -> httpx.Response:
    """The stream of a turn that has ended."""
    chatbot_path = caller.url.partition("/api/v1")[2].removesuffix("/chat")
    params = "&".join(f"{name}={value}" for name, value in query.items())
    return get(caller, f"{chatbot_path}/turns/{data['turnId']}/stream?{params}")


def test_settled_turn_is_told_with_its_old_sources(caller: Caller, live_team: Team) -> None:
    frames = caller.frames(QUESTION)
    *_, end, _ = frames
    assert isinstance(end, Frame)
    data = end.data["data"]
    assert [each["quote"] for each in data["sources"]] == [OLD]
    source = Source.objects.get(workspace=live_team.workspace)
    change_text(source.knowledge_base, NEW)
    assert parse_frames(stream_of(caller, data).text) == frames
    assert parse_frames(stream_of(caller, data, after=1).text) == frames[1:]
    assert parse_frames(stream_of(caller, data, after=2).text) == frames[2:]
    parts = stream_of(caller, data, protocol="ai-sdk").text
    assert (OLD in parts, NEW in parts) == (True, False)
    told = ask_json(caller, QUESTION)
    assert [each["quote"] for each in told.sources] == [NEW]
    _, answer, *_ = get(caller, f"/conversations/{data['conversationId']}/messages").json()["data"][
        "messages"
    ]
    assert (answer["knowledge"], answer["sources"]) == ("found", data["sources"])
    delete_source(source=source, actor=SYSTEM)
    erase_discarded()
    assert parse_frames(stream_of(caller, data).text) == frames


def test_settled_turn_is_told_over_a_socket_after_any_event(caller: Caller) -> None:
    with open_socket(caller) as socket:
        socket.send("chat.send", message=QUESTION)
        frames = socket.receive_turn()
        turn_id = frames[0]["turnId"]
        assert [frame["type"] for frame in frames[:2]] == ["message.start", "message.sources"]
        for after in (1, 2):
            socket.send("turn.follow", turnId=turn_id, after=after)
            assert without_ids(socket.receive_turn()) == without_ids(frames[after:])


def without_ids(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Frames without the id of the request, which the first one of an answer has."""
    return [{name: frame[name] for name in frame if name != "xRequestId"} for frame in frames]


def test_running_turn_is_told_with_its_sources_by_another_process(
    web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    chatbot = make_chatbot(live_team.workspace, "sandbox/long")
    give_knowledge(chatbot, {"Guarantee": OLD})
    caller = Caller(web_pair[0], chatbot, make_api_key(live_team.workspace))
    with open_socket(caller) as own, open_socket(caller, web_pair[1]) as other:
        turn_id = own.start_turn(QUESTION)["turnId"]
        other.send("turn.follow", turnId=turn_id)
        start, found = other.receive_until("message.sources")
        assert (start["id"], found["id"]) == (1, 2)
        assert [each["quote"] for each in found["sources"]] == [OLD]
        other.send("turn.stop", turnId=turn_id)
        told = other.receive_until("message.end")[-1]["data"]
        assert own.receive_until("message.end")[-1]["data"] == told
    assert [(each["quote"], each["cited"]) for each in told["sources"]] == [(OLD, False)]


def test_knowledge_of_others_is_never_shown(caller: Caller, live_team: Team) -> None:
    secret = "The samovar of Charlie is guaranteed for 7 days, how many days ever."
    give_knowledge(make_chatbot(live_team.other_workspace), {"Foreign": secret})
    give_knowledge(make_chatbot(live_team.workspace), {"Of another chatbot": secret})
    for ask in WIRES:
        told = ask(caller, QUESTION)
        shown = [*told.sources, *told.before_text]
        assert {each["title"] for each in shown} == {"Guarantee"}
        assert "Charlie" not in f"{told.text}{shown}"


def test_base_of_another_workspace_cannot_be_attached(caller: Caller, live_team: Team) -> None:
    foreign = give_knowledge(make_chatbot(live_team.other_workspace), {"Secret": "Foreign."})
    path = caller.url.removesuffix("/chat") + "/knowledge-bases"
    response = httpx.put(
        path, json={"knowledgeBaseIds": [foreign.id]}, headers=caller.all_headers, timeout=30
    )
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_ERROR")
    assert [each["title"] for each in ask_json(caller, QUESTION).sources] == ["Guarantee"]


def test_sources_of_a_turn_are_absent_for_another_workspace(
    caller: Caller, live_team: Team
) -> None:
    data = caller.post(QUESTION, stream=False).json()["data"]
    foreign = make_api_key(live_team.other_workspace, ["chat", "read", "manage"])
    chatbot_path = caller.url.partition("/api/v1")[2].removesuffix("/chat")
    for path, code in (
        (f"{chatbot_path}/turns/{data['turnId']}", "TURN_NOT_FOUND"),
        (f"{chatbot_path}/turns/{data['turnId']}/stream", "CHATBOT_NOT_FOUND"),
        (f"/conversations/{data['conversationId']}/messages", "CONVERSATION_NOT_FOUND"),
    ):
        response = get(caller, path, foreign)
        assert (response.status_code, response.json()["code"]) == (404, code)


def test_search_that_takes_too_long_is_told_and_the_turn_goes_on(
    own_web: StartWeb, live_team: Team
) -> None:
    chatbot = make_chatbot(live_team.workspace, "sandbox/cite")
    base = give_knowledge(chatbot, {"Guarantee": OLD})
    slow = make_embedding_model("sandbox/embed-slow")
    KnowledgeBase.objects.filter(id=base.id).update(embedding_model=slow)
    web = own_web(KNOWLEDGE_RETRIEVAL_SECONDS=0.2)
    caller = Caller(web, chatbot, make_api_key(live_team.workspace))
    data = caller.post(QUESTION, stream=False).json()["data"]
    assert (data["knowledge"], data["sources"]) == ("unavailable", [])
    assert data["response"] == f"Echo: {QUESTION}"


def test_chatbot_without_knowledge_says_nothing_of_it(web: WebProcess, live_team: Team) -> None:
    give_knowledge(make_chatbot(live_team.workspace), {"Guarantee": OLD})
    chatbot = make_chatbot(live_team.workspace, "sandbox/cite")
    caller = Caller(web, chatbot, make_api_key(live_team.workspace))
    data = caller.post(QUESTION, stream=False).json()["data"]
    assert data["response"] == f"Echo: {QUESTION}"
    assert not {"knowledge", "sources"} & set(data)
    events = [frame.event for frame in caller.frames(QUESTION) if isinstance(frame, Frame)]
    assert "message.sources" not in events
