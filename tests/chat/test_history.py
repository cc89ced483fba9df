"""The messages that the model receives."""

from __future__ import annotations

from typing import Any

from apps.chatbots.models import LanguageModel
from tests.factories import Team, make_language_model
from tests.llm.fake_provider import FakeProvider, json_script, streamed_answer
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn
from tests.web_processes import WebProcess, make_caller


def model_at(upstream: FakeProvider, **fields: Any) -> LanguageModel:
    return make_language_model("openai/tiny", api_base=upstream.base_url, **fields)


def received_messages(upstream: FakeProvider) -> list[tuple[str, str]]:
    """The messages of the last request to the model."""
    messages = upstream.requests[-1].body["messages"]
    return [(message["role"], message["content"]) for message in messages]


def test_model_receives_prompt_history_and_message(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    caller = make_caller(web, live_team.workspace, model_at(upstream), system_prompt="Be kind.")
    conversation = caller.post("First").json()["data"]["conversationId"]
    assert received_messages(upstream) == [("system", "Be kind."), ("user", "First")]
    upstream.stream(*streamed_answer("Good", " day"))
    data = caller.post("Second", conversationId=conversation).json()["data"]
    caller.post("Third", conversationId=conversation)
    assert (data["response"], data["usage"]) == ("Good day", {"inputTokens": 7, "outputTokens": 2})
    assert received_messages(upstream) == [
        ("system", "Be kind."),
        ("user", "First"),
        ("assistant", "Hello world"),
        ("user", "Second"),
        ("assistant", "Good day"),
        ("user", "Third"),
    ]


def test_model_request_has_the_chatbots_settings(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    fields: dict[str, Any] = {"temperature": 0.25, "max_reply_tokens": 33, "system_prompt": ""}
    make_caller(web, live_team.workspace, model_at(upstream), **fields).post("Hello")
    body = upstream.requests[-1].body
    assert {name: body[name] for name in ("model", "temperature", "messages")} == {
        "model": "tiny",
        "temperature": 0.25,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    assert 33 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_history_limit_keeps_the_newest_messages(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    caller = make_caller(
        web, live_team.workspace, model_at(upstream), history_limit=2, system_prompt=""
    )
    conversation = caller.post("First").json()["data"]["conversationId"]
    for message in ("Second", "Third"):
        caller.post(message, conversationId=conversation)
    assert received_messages(upstream) == [
        ("user", "Second"),
        ("assistant", "Hello world"),
        ("user", "Third"),
    ]


def test_history_limit_0_sends_the_message_alone(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    caller = make_caller(
        web, live_team.workspace, model_at(upstream), history_limit=0, system_prompt=""
    )
    conversation = caller.post("First").json()["data"]["conversationId"]
    caller.post("Second", conversationId=conversation)
    assert received_messages(upstream) == [("user", "Second")]


def test_history_excludes_failed_turns(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    caller = make_caller(web, live_team.workspace, model_at(upstream), system_prompt="")
    conversation = caller.post("First").json()["data"]["conversationId"]
    upstream.play(json_script({"error": {"message": "no"}}, status=400))
    assert caller.post("Second", conversationId=conversation).status_code == 502
    upstream.stream(*streamed_answer("Fine"))
    caller.post("Third", conversationId=conversation)
    assert received_messages(upstream) == [
        ("user", "First"),
        ("assistant", "Hello world"),
        ("user", "Third"),
    ]


def test_oldest_exchanges_are_cut_to_the_context_size(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    caller = make_caller(
        web,
        live_team.workspace,
        model_at(upstream, context_tokens=200),
        max_reply_tokens=50,
        system_prompt="Be kind.",
    )
    assert not isinstance(caller.chatbot, str)
    turn = make_running_turn(caller.chatbot, text="old " * 200)
    complete_turn(turn, "old answer")
    complete_turn(
        make_running_turn(caller.chatbot, conversation_id=turn.conversation_id, text="new"),
        "new answer",
    )
    fail_turn(
        make_running_turn(caller.chatbot, conversation_id=turn.conversation_id, text="broken")
    )
    caller.post("Hello", conversationId=turn.conversation_id)
    assert received_messages(upstream) == [
        ("system", "Be kind."),
        ("user", "new"),
        ("assistant", "new answer"),
        ("user", "Hello"),
    ]


def test_history_is_sent_when_streaming(
    web: WebProcess, live_team: Team, upstream: FakeProvider
) -> None:
    caller = make_caller(web, live_team.workspace, model_at(upstream), system_prompt="")
    conversation = caller.post("First").json()["data"]["conversationId"]
    caller.frames("Second", conversationId=conversation)
    assert received_messages(upstream) == [
        ("user", "First"),
        ("assistant", "Hello world"),
        ("user", "Second"),
    ]
