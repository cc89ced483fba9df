"""The `openai` package against the OpenAI-compatible endpoints."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from apps.conversations.models import Conversation, Message, Turn
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.web_processes import WebProcess

# The system prompt has 9 words, and the sandbox models count a word as a token.
PROMPT_WORDS = 9

CONVERSATION: list[Any] = [
    {"role": "system", "content": "Be brief"},
    {"role": "user", "content": "first question"},
    {"role": "assistant", "content": "first answer"},
    {"role": "user", "content": [{"type": "text", "text": "second question"}]},
]


class Integrator:
    """A chatbot, called through the package."""

    def __init__(
        self, web: WebProcess, team: Team, model: str = "sandbox/echo", **fields: Any
    ) -> None:
        grant_credits(team.workspace, 100)
        self.web = web
        priced = make_language_model(model, credits_per_reply=1)
        self.chatbot = make_chatbot(team.workspace, priced, **fields)
        self.key = make_api_key(team.workspace)
        self.client = self.with_key(self.key)

    def with_key(self, key: str) -> OpenAI:
        return OpenAI(base_url=f"{self.web.url}/api/v1/openai", api_key=key, max_retries=0)

    def complete(self, messages: Any = "Hello there", **fields: Any) -> Any:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        model = fields.pop("model", self.chatbot.id)
        return self.client.chat.completions.create(model=model, messages=messages, **fields)

    def post(self, body: Any, **headers: str) -> httpx.Response:
        url = f"{self.web.url}/api/v1/openai/chat/completions"
        return httpx.post(
            url, json=body, headers={"Authorization": f"Bearer {self.key}", **headers}
        )


@pytest.fixture
def integrator(web: WebProcess, live_team: Team) -> Integrator:
    return Integrator(web, live_team)


def test_completion_has_text_usage_and_credits(integrator: Integrator) -> None:
    completion = integrator.complete()
    turn = Turn.objects.get(chatbot_id=integrator.chatbot.id)
    assert (completion.object, completion.model) == ("chat.completion", integrator.chatbot.id)
    assert completion.id == f"chatcmpl-{turn.id}"
    choice = completion.choices[0]
    assert (choice.index, choice.finish_reason) == (0, "stop")
    assert (choice.message.role, choice.message.content) == ("assistant", "Echo: Hello there")
    assert completion.usage.prompt_tokens == PROMPT_WORDS + 2
    assert (completion.usage.completion_tokens, completion.usage.total_tokens) == (
        3,
        PROMPT_WORDS + 5,
    )
    assert completion.credits == {"charged": 1, "balance": 99}
    assert completion.metadata["conversationId"] == turn.conversation_id


def test_stream_has_deltas_and_finish_reason(integrator: Integrator) -> None:
    chunks = list(integrator.complete(stream=True))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert [delta.content for delta in deltas[1:]] == ["Echo:", " Hello", " there", None]
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons == [None, None, None, None, "stop"]
    stored = Message.objects.get(turn_id=chunks[0].metadata["turnId"], role="assistant")
    assert stored.text == "Echo: Hello there"


def test_stream_can_include_usage(integrator: Integrator) -> None:
    *chunks, last = integrator.complete(stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (PROMPT_WORDS + 2, 3)
    assert last.credits == {"charged": 1, "balance": 99}
    assert [chunk.usage for chunk in chunks] == [None] * 5


def test_stream_helper_builds_the_completion(integrator: Integrator) -> None:
    messages: Any = [{"role": "user", "content": "Hello there"}]
    with integrator.client.chat.completions.stream(
        model=integrator.chatbot.id, messages=messages
    ) as stream:
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == "Echo: Hello there"


async def test_async_client_streams(integrator: Integrator) -> None:
    base_url = f"{integrator.web.url}/api/v1/openai"
    async with openai.AsyncOpenAI(base_url=base_url, api_key=integrator.key) as client:
        stream = await client.chat.completions.create(
            model=integrator.chatbot.id,
            messages=[{"role": "user", "content": "Hello there"}],
            stream=True,
        )
        text = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(text) == "Echo: Hello there"


def test_caller_messages_are_the_history(integrator: Integrator) -> None:
    completion = integrator.complete(CONVERSATION)
    assert completion.choices[0].message.content == "Echo: second question"
    assert completion.usage.prompt_tokens == PROMPT_WORDS + 8
    stored = Message.objects.filter(conversation_id=completion.metadata["conversationId"])
    texts = stored.order_by("created_at").values_list("text", flat=True)
    assert list(texts) == ["second question", "Echo: second question"]


def test_conversation_id_is_sent_in_metadata(integrator: Integrator) -> None:
    first = integrator.complete("One")
    conversation_id = first.metadata["conversationId"]
    metadata = {"conversationId": conversation_id, "ticket": "7"}
    second = integrator.complete("Two", metadata=metadata)
    assert second.metadata["conversationId"] == conversation_id
    assert second.usage.prompt_tokens == PROMPT_WORDS + 1
    stored = Message.objects.filter(conversation_id=conversation_id).order_by("created_at")
    assert [message.text for message in stored] == ["One", "Echo: One", "Two", "Echo: Two"]
    assert [message.metadata for message in stored] == [None, None, {"ticket": "7"}, None]


def test_request_without_conversation_id_starts_one(integrator: Integrator) -> None:
    integrator.complete("One")
    integrator.complete("Two")
    assert Conversation.objects.filter(chatbot_id=integrator.chatbot.id).count() == 2


def test_tuning_parameters_are_ignored(integrator: Integrator) -> None:
    tuning = {"temperature": 2, "max_tokens": 1, "top_p": 0.1, "user": "u", "n": 1, "seed": 7}
    completion = integrator.complete(**tuning, tools=[], response_format={"type": "text"})
    assert completion.choices[0].message.content == "Echo: Hello there"


def test_idempotency_key_is_charged_once(integrator: Integrator) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = integrator.complete(CONVERSATION, extra_headers=key)
    repeated = integrator.complete(CONVERSATION, extra_headers=key)
    assert (repeated.id, repeated.credits) == (first.id, first.credits)
    with pytest.raises(openai.ConflictError) as caught:
        integrator.complete(CONVERSATION[1:], extra_headers=key)
    assert caught.value.code == "IDEMPOTENCY_MISMATCH"


def test_response_has_rate_limit_headers(integrator: Integrator) -> None:
    message: Any = {"role": "user", "content": "Hello"}
    raw = integrator.client.chat.completions.with_raw_response.create(
        model=integrator.chatbot.id, messages=[message]
    )
    assert (raw.headers["x-ratelimit-limit"], raw.headers["x-ratelimit-remaining"]) == ("60", "59")
    assert raw.headers["x-ratelimit-limit-requests"] == "60"
    assert raw.headers["x-ratelimit-remaining-requests"] == "59"
    assert raw.headers["x-ratelimit-reset-requests"] in ("59s", "60s", "61s")
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.parse().choices[0].message.content == "Echo: Hello"


def test_full_window_is_a_rate_limit_error(web: WebProcess, live_team: Team) -> None:
    integrator = Integrator(web, live_team, rate_limit_requests=1)
    integrator.complete()
    with pytest.raises(openai.RateLimitError) as caught:
        integrator.complete()
    error = caught.value
    assert (error.code, error.type) == ("RATE_LIMIT_EXCEEDED", "rate_limit_error")
    assert 1 <= int(error.response.headers["retry-after"]) <= 60
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_wrong_key_is_an_authentication_error(integrator: Integrator) -> None:
    client = integrator.with_key("sk-workspace_" + "x" * 51)
    with pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.code == "INVALID_API_KEY"
    assert caught.value.request_id is not None
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="", messages=[])


def test_chatbot_of_another_workspace_is_not_found(integrator: Integrator, live_team: Team) -> None:
    foreign = make_chatbot(live_team.other_workspace)
    for model in (foreign.id, "gpt-4o"):
        with pytest.raises(openai.NotFoundError) as caught:
            integrator.complete(model=model)
        error = caught.value
        assert (error.code, error.param) == ("CHATBOT_NOT_FOUND", "model")
        assert error.type == "invalid_request_error"


def test_unknown_conversation_is_not_found(integrator: Integrator) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        integrator.complete(metadata={"conversationId": "c" + "0" * 24})
    assert caught.value.param == "metadata.conversationId"


def test_empty_account_has_its_own_code(web: WebProcess, live_team: Team) -> None:
    model = make_language_model("sandbox/echo", credits_per_reply=1000)
    integrator = Integrator(web, live_team)
    bot = make_chatbot(live_team.workspace, model)
    with pytest.raises(openai.APIStatusError) as caught:
        integrator.complete(model=bot.id)
    assert (caught.value.status_code, caught.value.code) == (402, "INSUFFICIENT_CREDITS")
    assert isinstance(caught.value.body, dict)
    assert (caught.value.body["needed"], caught.value.body["available"]) == (1000, 100)


@pytest.mark.parametrize("streams", [False, True])
def test_failure_before_the_first_token(web: WebProcess, live_team: Team, streams: bool) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        Integrator(web, live_team, "sandbox/fail-before").complete(stream=streams)
    error = caught.value
    assert (error.status_code, error.code, error.type) == (502, "MODEL_ERROR", "server_error")


def test_failure_midway_ends_the_stream_with_an_error(web: WebProcess, live_team: Team) -> None:
    chunks = Integrator(web, live_team, "sandbox/fail-midway").complete("a b c d", stream=True)
    texts = [next(chunks).choices[0].delta.content for _ in range(4)]
    assert texts == ["", "Echo:", " a", " b"]
    with pytest.raises(openai.APIError) as caught:
        next(chunks)
    assert caught.value.code == "MODEL_ERROR"


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("n", {"n": 2}),
        ("tools", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ("response_format", {"response_format": {"type": "json_schema", "json_schema": {}}}),
        ("audio", {"audio": {"voice": "alloy", "format": "mp3"}}),
        ("logprobs", {"logprobs": True}),
        ("temprature", {"extra_body": {"temprature": 1}}),
        ("metadata.conversationId", {"metadata": {"conversationId": 7}}),
        ("messages", {"messages": []}),
        ("messages", {"messages": [{"role": "assistant", "content": "Hello"}]}),
        ("messages", {"messages": [{"role": "user", "content": " "}]}),
        ("messages[0].role", {"messages": [{"role": "tool", "content": "x"}]}),
        ("messages[0].content[0]", {"messages": [{"role": "user", "content": [{"type": "x"}]}]}),
        ("stream", {"stream": "yes"}),
    ],
)
def test_unsupported_parameters_are_rejected_by_name(
    integrator: Integrator, param: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        integrator.complete(**fields)
    error = caught.value
    assert (error.param, error.type) == (param, "invalid_request_error")
    assert (error.code, error.response.headers["x-ratelimit-remaining"]) == (
        "VALIDATION_ERROR",
        "60",
    )
    assert param in error.message


@pytest.mark.parametrize("body", [[], {}, {"model": 7}, {"messages": []}])
def test_body_without_a_model_is_rejected(integrator: Integrator, body: Any) -> None:
    response = integrator.post(body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "model"


def test_models_are_the_active_chatbots(integrator: Integrator, live_team: Team) -> None:
    second = make_chatbot(live_team.workspace, name="Second")
    make_chatbot(live_team.workspace, is_active=False)
    make_chatbot(live_team.other_workspace)
    models = list(integrator.client.models.list())
    assert [model.id for model in models] == [integrator.chatbot.id, second.id]
    one = integrator.client.models.retrieve(second.id)
    assert one == models[1]
    assert (one.object, one.owned_by) == ("model", live_team.workspace.id)
    with pytest.raises(openai.NotFoundError):
        integrator.client.models.retrieve("gpt-4o")


def test_unknown_paths_and_methods_have_openai_errors(integrator: Integrator) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        integrator.client.embeddings.create(model=integrator.chatbot.id, input="Hello")
    assert caught.value.code == "NOT_FOUND"
    url = f"{integrator.web.url}/api/v1/openai/chat/completions"
    response = httpx.get(url)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
