"""The reader of OpenAI's wire, against a real server that misbehaves on demand."""

from __future__ import annotations

import asyncio

import pytest

from apps.llm import services
from apps.llm.errors import ProviderFailed, ProviderUnavailable
from apps.llm.types import Finish, Timeouts, Usage
from tests.llm.completion_helpers import ask, refuse, wire_request
from tests.llm.fake_provider import DONE, Script, Upstream, answer, chunk, event, whole


async def test_stream_gives_text_usage_and_finish(upstream: Upstream) -> None:
    outcome = await ask(wire_request(upstream))

    assert outcome.text == "Hello world"
    assert outcome.usage == Usage(7, 2)
    assert outcome.finish == Finish("stop")
    assert outcome.failure is None


async def test_request_is_what_the_wire_wants(upstream: Upstream) -> None:
    await ask(wire_request(upstream, user="end-user-1"))

    (seen,) = upstream.requests
    assert seen.path == "/v1/chat/completions"
    assert seen.body == {
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
    assert "Authorization" not in seen.headers


async def test_what_is_left_to_the_provider_is_not_sent(upstream: Upstream) -> None:
    await ask(wire_request(upstream, temperature=None, max_tokens=None))

    assert upstream.requests[0].body.keys() == {"model", "messages", "stream", "stream_options"}


async def test_key_is_read_from_the_environment_at_each_call(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = wire_request(upstream, api_key_env="TEST_MODEL_KEY")
    for key in ("first", "second"):
        monkeypatch.setenv("TEST_MODEL_KEY", f"{key}\n")
        await ask(request)

    sent = [seen.headers["Authorization"] for seen in upstream.requests]
    assert sent == ["Bearer first", "Bearer second"]


async def test_missing_key_is_said_by_the_name_of_its_variable(upstream: Upstream) -> None:
    outcome = await ask(wire_request(upstream, api_key_env="TEST_MODEL_KEY_UNSET"))

    assert isinstance(outcome.failure, ProviderUnavailable)
    assert outcome.failure.detail == "the environment variable TEST_MODEL_KEY_UNSET holds no key"
    assert upstream.requests == []


async def test_connection_is_kept_for_the_next_answer(upstream: Upstream) -> None:
    for _ in range(3):
        await ask(wire_request(upstream))

    assert [seen.connection for seen in upstream.requests] == [0, 0, 0]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((chunk("Hello"), chunk(" world", finish="stop"), DONE), id="no-usage"),
        pytest.param((chunk("Hello world", finish="stop"),), id="no-done"),
        pytest.param((chunk("Hello world"), DONE), id="no-finish"),
        pytest.param((chunk("Hello world", finish="stop").rstrip(),), id="no-last-blank-line"),
        pytest.param(
            (b": keep-alive\n\n", chunk(None, content=None), *answer("Hello world")), id="null"
        ),
        pytest.param(
            (chunk(reasoning_content="Hm."), chunk(reasoning="Hm."), *answer("Hello world")),
            id="reasoning",
        ),
        pytest.param(
            (chunk(None, content=[{"type": "text", "text": "Hello world"}]), DONE), id="parts"
        ),
        pytest.param((event({"choices": None, "usage": None}), *answer("Hello world")), id="empty"),
        pytest.param(
            tuple(piece.replace(b"\n", b"\r\n") for piece in answer("Hello", " world")), id="crlf"
        ),
    ],
)
async def test_dialects_of_the_wire_give_the_same_answer(
    upstream: Upstream, pieces: tuple[bytes, ...]
) -> None:
    upstream.stream(*pieces)

    outcome = await ask(wire_request(upstream))

    assert outcome.failure is None
    assert outcome.text == "Hello world"
    assert outcome.finish == Finish("stop")


async def test_absent_usage_is_estimated(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello world"), DONE)

    outcome = await ask(wire_request(upstream))

    # "Be brief." and "Greet me." are 3 tokens each, with 4 around each; "Hello world" is 3.
    assert outcome.usage == Usage(14, 3)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
    ],
)
async def test_finish_reasons(upstream: Upstream, said: str, meant: str) -> None:
    upstream.stream(*answer("Hello", finish=said))

    outcome = await ask(wire_request(upstream))

    assert outcome.finish is not None
    assert outcome.finish.reason == meant


async def test_model_that_cannot_stream_is_asked_for_one_piece(upstream: Upstream) -> None:
    message = {"role": "assistant", "content": "Hello world"}
    upstream.play(
        whole(
            {
                "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 2},
            }
        )
    )

    outcome = await ask(wire_request(upstream, supports_streaming=False))

    assert upstream.requests[0].body["stream"] is False
    assert "stream_options" not in upstream.requests[0].body
    assert outcome.deltas == ["Hello world"]
    assert outcome.usage == Usage(5, 2)
    assert outcome.finish == Finish("length")


async def test_server_that_ignores_streaming_is_understood(upstream: Upstream) -> None:
    upstream.play(whole({"choices": [{"message": {"content": "Hello"}}]}))

    outcome = await ask(wire_request(upstream))

    assert outcome.deltas == ["Hello"]
    assert outcome.finish == Finish("stop")


@pytest.mark.parametrize(
    ("said", "dropped", "added"),
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
async def test_refused_field_is_left_out_from_then_on(
    upstream: Upstream, said: str, dropped: str, added: str | None
) -> None:
    upstream.play(whole({"error": {"message": said}}, status=400), Script())

    outcomes = [await ask(wire_request(upstream)) for _ in range(2)]

    assert [outcome.text for outcome in outcomes] == ["Hello world", "Hello world"]
    fields = [seen.body.keys() for seen in upstream.requests]
    assert [dropped in keys for keys in fields] == [True, False, False]
    if added:
        assert [added in keys for keys in fields] == [False, True, True]


async def test_other_bad_requests_are_asked_once(upstream: Upstream) -> None:
    error = {"message": "too long", "code": "context_length_exceeded"}
    upstream.play(whole({"error": error}, status=400))

    outcome = await ask(wire_request(upstream))

    assert isinstance(outcome.failure, ProviderFailed)
    assert "400 (context_length_exceeded)" in outcome.failure.detail
    assert len(upstream.requests) == 1


async def test_long_messages_in_any_script_arrive_whole(upstream: Upstream) -> None:
    text = "naïve 語 🙂 \ud83d" * 500
    upstream.stream(*answer("é" * 50_000))
    request = wire_request(upstream)
    messages = (*request.messages, type(request.messages[0])("user", text))

    outcome = await ask(wire_request(upstream, messages=messages))

    assert outcome.text == "é" * 50_000
    assert upstream.requests[0].body["messages"][-1]["content"] == text


async def test_cancellation_closes_the_connection_at_once(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello"), ending="hang")
    task = asyncio.create_task(ask(wire_request(upstream)))
    while not upstream.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.wait_for_close(1.0)


async def test_cancellation_before_the_answer_closes_the_connection(upstream: Upstream) -> None:
    upstream.play(Script(before=30))
    task = asyncio.create_task(ask(wire_request(upstream)))
    while not upstream.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.wait_for_close(1.0)


async def test_taker_that_breaks_closes_the_connection(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello"), ending="hang")

    with pytest.raises(ProviderFailed):
        await services.complete(wire_request(upstream), refuse)

    await upstream.wait_for_close(1.0)


async def test_silent_server_is_left_at_the_time_out(upstream: Upstream) -> None:
    upstream.play(Script(before=30))
    timeouts = Timeouts(connect=1, first_token=0.2, between_tokens=1, total=5)

    outcome = await ask(wire_request(upstream, timeouts=timeouts))

    assert outcome.failure is not None
    assert outcome.failure.detail == "no first token within 0.2 s"
    await upstream.wait_for_close(1.0)


async def test_deltas_that_arrive_together_leave_together(upstream: Upstream) -> None:
    upstream.stream(b"".join(answer("a", "b", "c")))

    outcome = await ask(wire_request(upstream))

    assert outcome.deltas == ["abc"]


async def test_clients_can_be_closed_twice_and_used_again(upstream: Upstream) -> None:
    await ask(wire_request(upstream))
    await services.close_clients()
    await services.close_clients()

    assert (await ask(wire_request(upstream))).text == "Hello world"
