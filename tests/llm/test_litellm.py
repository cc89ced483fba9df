"""The litellm provider, against the fake server. Importing litellm takes about 10 seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from apps.llm import services
from apps.llm.catalogue_lookup import lookup_model
from apps.llm.errors import ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.providers import litellm as provider
from apps.llm.types import Finish, ModelRequest, Timeouts, Usage
from tests.llm.completion_helpers import complete, failing_handler, openai_request
from tests.llm.corpus_files import STREAMS, outcome_of
from tests.llm.fake_provider import FakeProvider, Script, chunk, json_script, serve, streamed_answer
from tests.llm.native_streams import ANTHROPIC, GEMINI

# As in a web process, litellm has one event loop and is closed with it: it caches clients by the id
# of their loop, which a later loop may share.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
]


@pytest_asyncio.fixture(autouse=True, scope="module", loop_scope="module")
async def _litellm() -> AsyncIterator[None]:
    await services.preload_providers({"litellm"})
    yield
    await services.close_clients()


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[FakeProvider]:
    """A fake model server on the loop of the module."""
    async with serve() as server:
        yield server


def litellm_request(server: FakeProvider, **changes: object) -> ModelRequest:
    return openai_request(server, provider="litellm", **{"model": "openai/tiny", **changes})


async def test_stream_gives_text_usage_and_finish(server: FakeProvider) -> None:
    outcome = await complete(litellm_request(server))

    assert outcome.failure is None
    assert outcome.text == "Hello world"
    assert outcome.usage == Usage(7, 2)
    assert outcome.finish == Finish("stop")


async def test_streams_of_the_corpus() -> None:
    """All at once, because those that are retried take a second."""
    streams = [each for each in STREAMS if each.headers.get("litellm") != "no"]
    scripts = {each.name: each.script for each in streams}
    expected = {each.name: dict(each.expected) for each in streams}

    assert await request_all(scripts, "openai/tiny") == expected


@pytest.mark.parametrize(
    ("model", "streams"),
    [("anthropic/claude-sonnet-4-5", ANTHROPIC), ("gemini/gemini-2.0-flash", GEMINI)],
)
async def test_streams_in_the_format_of_the_provider(
    model: str, streams: dict[str, tuple[bytes, dict[str, Any]]]
) -> None:
    scripts = {name: Script((body,)) for name, (body, _) in streams.items()}
    expected = {name: outcome for name, (_, outcome) in streams.items()}

    assert await request_all(scripts, model) == expected


async def request_all(scripts: Mapping[str, Script], model: str) -> dict[str, dict[str, Any]]:
    """The outcome of each response."""

    async def request(name: str, script: Script) -> tuple[str, dict[str, Any]]:
        async with serve() as server:
            server.play(script)
            base = server.base_url if model.startswith("openai/") else server.base_url[:-3]
            found = await complete(litellm_request(server, model=model, api_base=base))
            return name, outcome_of(found, len(server.requests))

    return dict(await asyncio.gather(*(request(*item) for item in scripts.items())))


@pytest.mark.usefixtures("listed_keys")
async def test_parameters_and_key_are_sent(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MODEL_KEY", "a-key")

    await complete(litellm_request(server, api_key_env="TEST_MODEL_KEY"))

    (received,) = server.requests
    assert received.headers["Authorization"] == "Bearer a-key"
    assert (received.body["model"], received.body["temperature"]) == ("tiny", 0.5)
    assert received.body["max_tokens"] == 100


@pytest.mark.usefixtures("listed_keys")
async def test_missing_api_key_error_names_its_variable(server: FakeProvider) -> None:
    failure = (await complete(litellm_request(server, api_key_env="TEST_MODEL_KEY_UNSET"))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert "TEST_MODEL_KEY_UNSET" in failure.detail


async def test_model_that_cannot_stream(server: FakeProvider) -> None:
    message = {"role": "assistant", "content": "Hello world"}
    server.play(
        json_script(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "tiny",
                "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
            }
        )
    )

    outcome = await complete(litellm_request(server, supports_streaming=False))

    assert not server.requests[0].body.get("stream")
    assert outcome.deltas == ["Hello world"]
    assert outcome.usage == Usage(5, 2)
    assert outcome.finish == Finish("length")


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, ProviderFailed, False),
        (401, ProviderFailed, False),
        (404, ProviderFailed, False),
        (429, ProviderUnavailable, True),
        (500, ProviderFailed, True),
        (503, ProviderUnavailable, True),
    ],
)
async def test_litellm_errors_are_mapped(
    server: FakeProvider, status: int, kind: type[ProviderError], retryable: bool
) -> None:
    server.play(json_script({"error": {"message": "Greet me."}}, status=status, Retry_After="60"))

    failure = (await complete(litellm_request(server))).failure

    assert type(failure) is kind
    assert (failure.retryable, failure.retry_after) == (retryable, 60.0 if retryable else None)
    assert str(status) in failure.detail
    assert "Greet" not in failure.detail
    assert len(server.requests) == 1


async def test_litellm_itself_does_not_retry(server: FakeProvider) -> None:
    server.play(json_script({}, status=503, Retry_After="0.01"))

    await complete(litellm_request(server))

    assert len(server.requests) == 3


async def test_refused_connection_is_unavailable(
    unused_tcp_port: int, server: FakeProvider
) -> None:
    base = f"http://127.0.0.1:{unused_tcp_port}/v1"

    failure = (await complete(litellm_request(server, api_base=base))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert failure.retryable


async def test_connection_cut_midway_is_an_error(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), ending="cut")

    outcome = await complete(litellm_request(server))

    assert outcome.text == "Hello"
    assert type(outcome.failure) is ProviderFailed


async def test_spent_quota_is_not_retried(server: FakeProvider) -> None:
    server.play(json_script({"error": {"code": "insufficient_quota"}}, status=429))

    failure = (await complete(litellm_request(server))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert not failure.retryable
    assert len(server.requests) == 1


async def test_cancellation_closes_the_connection(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), ending="hang")
    task = asyncio.create_task(complete(litellm_request(server)))
    while not server.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_for_close()


async def test_failing_handler_closes_the_connection(server: FakeProvider) -> None:
    server.stream(*streamed_answer(*"abc"), pace=0.05, ending="hang")

    with pytest.raises(ProviderFailed):
        await services.Completion(litellm_request(server), failing_handler).run()

    await server.wait_for_close()


async def test_timeout_closes_the_connection(server: FakeProvider) -> None:
    server.play(Script(delay=30))
    timeouts = Timeouts(connect=1, first_token=0.3, between_tokens=1, total=5)

    failure = (await complete(litellm_request(server, timeouts=timeouts))).failure

    assert failure is not None
    assert failure.detail == "no first token within 0.3 s"
    await server.wait_for_close()


@pytest.mark.usefixtures("listed_keys")
async def test_keys_and_messages_are_not_logged(
    server: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEST_MODEL_KEY", "a-very-secret-key")
    server.play(json_script({"error": {"message": "no"}}, status=400), Script())

    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            await complete(litellm_request(server, api_key_env="TEST_MODEL_KEY"))

    written = caplog.text + "".join(capfd.readouterr())
    assert "a-very-secret-key" not in written
    assert "Greet me." not in written


@pytest.mark.parametrize(
    ("litellm_id", "expected"),
    [
        (
            "groq/llama-3.1-8b-instant",
            ("openai-wire", "llama-3.1-8b-instant", "https://api.groq.com/openai/v1"),
        ),
        (
            "openrouter/openai/gpt-4o",
            ("openai-wire", "openai/gpt-4o", "https://openrouter.ai/api/v1"),
        ),
        (
            "mistral/mistral-small-latest",
            ("openai-wire", "mistral-small-latest", "https://api.mistral.ai/v1"),
        ),
        ("anthropic/claude-sonnet-4-5", ("litellm", "anthropic/claude-sonnet-4-5", "")),
        ("gemini/gemini-2.0-flash", ("litellm", "gemini/gemini-2.0-flash", "")),
        ("o1-pro", ("litellm", "o1-pro", "")),
    ],
)
async def test_lookup_resolves_provider_model_and_address(
    litellm_id: str, expected: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await _lookup(monkeypatch, id=litellm_id)

    assert (found["provider"], found["model"], found["api_base"]) == expected
    assert found["api_key_env"].endswith("_API_KEY")


async def test_lookup_keeps_given_address_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await _lookup(
        monkeypatch, id="groq/x", api_base="http://127.0.0.1:1/v1", api_key_env="MINE"
    )

    assert (found["api_base"], found["api_key_env"]) == ("http://127.0.0.1:1/v1", "MINE")


async def test_lookup_has_no_default_key_for_another_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = await _lookup(monkeypatch, id="groq/x", api_base="http://127.0.0.1:1/v1")

    assert found["api_key_env"] == ""


async def test_lookup_rejects_models_that_do_not_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await _lookup(monkeypatch, id="text-embedding-3-small")

    assert found == {"unknown": "text-embedding-3-small is a model for embedding, not for chat"}


async def _lookup(monkeypatch: pytest.MonkeyPatch, **question: str) -> dict[str, Any]:
    for name in ("OPENAI", "GROQ", "OPENROUTER", "MISTRAL", "ANTHROPIC", "GEMINI"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    return lookup_model(await provider.load(), question)
