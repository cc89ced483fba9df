"""OpenAI-compatible servers: requests, streams, API variants, cancellation."""

from __future__ import annotations

import asyncio

import pytest

from apps.llm import services
from apps.llm.errors import ProviderFailed, ProviderUnavailable
from apps.llm.types import Finish, Timeouts, Usage
from tests.llm.completion_helpers import complete, failing_handler, openai_request
from tests.llm.fake_provider import (
    DONE,
    FakeProvider,
    Script,
    chunk,
    json_script,
    sse_event,
    streamed_answer,
)


async def test_stream_gives_text_usage_and_finish(server: FakeProvider) -> None:
    outcome = await complete(openai_request(server))

    assert outcome.text == "Hello world"
    assert outcome.usage == Usage(7, 2)
    assert outcome.finish == Finish("stop")
    assert outcome.failure is None


async def test_request_body_and_path(server: FakeProvider) -> None:
    await complete(openai_request(server, user="end-user-1"))

    (received,) = server.requests
    assert received.path == "/v1/chat/completions"
    assert received.body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Greet me."},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 100,
        "user": "end-user-1",
    }
    assert "Authorization" not in received.headers


async def test_optional_fields_are_omitted_when_unset(server: FakeProvider) -> None:
    await complete(openai_request(server, temperature=None, max_tokens=None))

    assert server.requests[0].body.keys() == {"model", "messages", "stream", "stream_options"}


@pytest.mark.usefixtures("listed_keys")
async def test_api_key_is_read_at_each_call(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = openai_request(server, api_key_env="TEST_MODEL_KEY")
    for key in ("first", "second"):
        monkeypatch.setenv("TEST_MODEL_KEY", f"{key}\n")
        await complete(request)

    sent = [each.headers["Authorization"] for each in server.requests]
    assert sent == ["Bearer first", "Bearer second"]


@pytest.mark.usefixtures("listed_keys")
async def test_missing_api_key_error_names_its_variable(server: FakeProvider) -> None:
    outcome = await complete(openai_request(server, api_key_env="TEST_MODEL_KEY_UNSET"))

    assert isinstance(outcome.failure, ProviderUnavailable)
    assert outcome.failure.detail == "the environment variable TEST_MODEL_KEY_UNSET holds no key"
    assert server.requests == []


async def test_connection_is_reused(server: FakeProvider) -> None:
    for _ in range(3):
        await complete(openai_request(server))

    assert [each.connection for each in server.requests] == [0, 0, 0]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((chunk("Hello"), chunk(" world", finish="stop"), DONE), id="no-usage"),
        pytest.param((chunk("Hello world", finish="stop"),), id="no-done"),
        pytest.param((chunk("Hello world"), DONE), id="no-finish"),
        pytest.param((chunk("Hello world", finish="stop").rstrip(),), id="no-last-blank-line"),
        pytest.param(
            (b": keep-alive\n\n", chunk(None, content=None), *streamed_answer("Hello world")),
            id="null",
        ),
        pytest.param(
            (
                chunk(reasoning_content="Hm."),
                chunk(reasoning="Hm."),
                *streamed_answer("Hello world"),
            ),
            id="reasoning",
        ),
        pytest.param(
            (chunk(None, content=[{"type": "text", "text": "Hello world"}]), DONE), id="parts"
        ),
        pytest.param(
            (sse_event({"choices": None, "usage": None}), *streamed_answer("Hello world")),
            id="empty",
        ),
        pytest.param(
            tuple(piece.replace(b"\n", b"\r\n") for piece in streamed_answer("Hello", " world")),
            id="crlf",
        ),
    ],
)
async def test_api_variants_give_the_same_answer(
    server: FakeProvider, pieces: tuple[bytes, ...]
) -> None:
    server.stream(*pieces)

    outcome = await complete(openai_request(server))

    assert outcome.failure is None
    assert outcome.text == "Hello world"
    assert outcome.finish == Finish("stop")


async def test_missing_usage_is_estimated(server: FakeProvider) -> None:
    server.stream(chunk("Hello world"), DONE)

    outcome = await complete(openai_request(server))

    # "Be brief." and "Greet me." are two words each, "Hello world" two more.
    assert outcome.usage == Usage(4, 2)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
    ],
)
async def test_finish_reasons(server: FakeProvider, reported: str, expected: str) -> None:
    server.stream(*streamed_answer("Hello", finish=reported))

    outcome = await complete(openai_request(server))

    assert outcome.finish is not None
    assert outcome.finish.reason == expected


async def test_model_without_streaming_is_not_streamed(server: FakeProvider) -> None:
    message = {"role": "assistant", "content": "Hello world"}
    server.play(
        json_script(
            {
                "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 2},
            }
        )
    )

    outcome = await complete(openai_request(server, supports_streaming=False))

    assert server.requests[0].body["stream"] is False
    assert "stream_options" not in server.requests[0].body
    assert outcome.deltas == ["Hello world"]
    assert outcome.usage == Usage(5, 2)
    assert outcome.finish == Finish("length")


async def test_json_response_to_a_streaming_request_is_parsed(server: FakeProvider) -> None:
    server.play(json_script({"choices": [{"message": {"content": "Hello"}}]}))

    outcome = await complete(openai_request(server))

    assert outcome.deltas == ["Hello"]
    assert outcome.finish == Finish("stop")


@pytest.mark.parametrize(
    ("message", "dropped", "added"),
    [
        ("Unrecognized request argument supplied: stream_options", "stream_options", None),
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0.5", "temperature", None),
    ],
)
async def test_rejected_field_is_omitted_from_then_on(
    server: FakeProvider, message: str, dropped: str, added: str | None
) -> None:
    server.play(json_script({"error": {"message": message}}, status=400), Script())

    outcomes = [await complete(openai_request(server)) for _ in range(2)]

    assert [outcome.text for outcome in outcomes] == ["Hello world", "Hello world"]
    fields = [each.body.keys() for each in server.requests]
    assert [dropped in keys for keys in fields] == [True, False, False]
    if added:
        assert [added in keys for keys in fields] == [False, True, True]


async def test_other_bad_requests_are_not_retried(server: FakeProvider) -> None:
    error = {"message": "too long", "code": "context_length_exceeded"}
    server.play(json_script({"error": error}, status=400))

    outcome = await complete(openai_request(server))

    assert isinstance(outcome.failure, ProviderFailed)
    assert "400 (context_length_exceeded)" in outcome.failure.detail
    assert len(server.requests) == 1


async def test_long_unicode_messages_arrive_complete(server: FakeProvider) -> None:
    text = "naïve 語 🙂 \ud83d" * 500
    server.stream(*streamed_answer("é" * 50_000))
    request = openai_request(server)
    messages = (*request.messages, type(request.messages[0])("user", text))

    outcome = await complete(openai_request(server, messages=messages))

    assert outcome.text == "é" * 50_000
    assert server.requests[0].body["messages"][-1]["content"] == text


async def test_cancellation_closes_the_connection(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), ending="hang")
    task = asyncio.create_task(complete(openai_request(server)))
    while not server.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_for_close()


async def test_cancellation_before_the_response_closes_the_connection(server: FakeProvider) -> None:
    server.play(Script(delay=30))
    task = asyncio.create_task(complete(openai_request(server)))
    while not server.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_for_close()


async def test_failing_handler_closes_the_connection(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), ending="hang")

    with pytest.raises(ProviderFailed):
        await services.Completion(openai_request(server), failing_handler).run()

    await server.wait_for_close()


async def test_timeout_closes_the_connection(server: FakeProvider) -> None:
    server.play(Script(delay=30))
    timeouts = Timeouts(connect=1, first_token=0.2, between_tokens=1, total=5)

    outcome = await complete(openai_request(server, timeouts=timeouts))

    assert outcome.failure is not None
    assert outcome.failure.detail == "no first token within 0.2 s"
    await server.wait_for_close()


async def test_deltas_that_arrive_together_are_joined(server: FakeProvider) -> None:
    server.stream(b"".join(streamed_answer("a", "b", "c")))

    outcome = await complete(openai_request(server))

    assert outcome.deltas == ["abc"]


async def test_clients_can_be_closed_twice_and_used_again(server: FakeProvider) -> None:
    await complete(openai_request(server))
    await services.close_clients()
    await services.close_clients()

    assert (await complete(openai_request(server))).text == "Hello world"
