"""Test a model of the catalogue with one short request and measure the response."""

import time
from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.conf import settings

from apps.chatbots.models import EmbeddingModel, LanguageModel
from apps.llm.embeddings.services import embed
from apps.llm.embeddings.types import EmbeddingRequest
from apps.llm.errors import ProviderError
from apps.llm.services import Completion
from apps.llm.types import ChatMessage, ModelRequest, TextDelta, Timeouts, Usage

SYSTEM_PROMPT = "You are being tested. Answer in one short sentence."
QUESTION = "Which language model are you?"
SENTENCE = "Which languages do you understand?"
MAX_TOKENS = 64
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ModelTestResult:
    """The result. `error` is empty if the model answered. Times are milliseconds from the call."""

    answer: str
    error: str
    first_token_ms: int | None
    total_ms: int
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class EmbeddingTestResult:
    """The result. `error` is empty if the model answered; `dimensions` and `input_tokens` are 0
    otherwise."""

    error: str
    total_ms: int
    dimensions: int = 0
    input_tokens: int = 0


def run_embedding_test(model: EmbeddingModel) -> EmbeddingTestResult:
    """Have the model embed one sentence, within 30 seconds. No workspace is charged."""
    request = EmbeddingRequest(
        provider=model.provider,  # type: ignore[arg-type]
        model=model.provider_model,
        texts=(model.query_prefix + SENTENCE,),
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        timeout_seconds=TIMEOUT_SECONDS,
        dimensions=model.dimensions,
    )
    started = time.perf_counter()
    try:
        embeddings = async_to_sync(embed)(request)
    except ProviderError as failure:
        return EmbeddingTestResult(f"{type(failure).__name__}: {failure}", _elapsed_ms(started))
    return EmbeddingTestResult(
        "", _elapsed_ms(started), len(embeddings.vectors[0]), embeddings.input_tokens
    )


def run_model_test(model: LanguageModel) -> ModelTestResult:
    """Send the model one question, limited to 64 tokens and 30 seconds. No workspace is charged.

    In a web process, the request runs in the server's event loop and reuses its connections.
    """
    return async_to_sync(_run)(_build_request(model))


async def _run(request: ModelRequest) -> ModelTestResult:
    started = time.perf_counter()
    deltas: list[str] = []
    first_token_ms: int | None = None
    usage: Usage | None = None
    error = ""

    def on_delta(delta: TextDelta) -> None:
        nonlocal first_token_ms
        first_token_ms = _elapsed_ms(started) if first_token_ms is None else first_token_ms
        deltas.append(delta.text)

    completion = Completion(request, on_delta)
    try:
        await completion.run()
        usage = completion.usage
    except ProviderError as failure:
        error = f"{type(failure).__name__}: {failure}"
    return ModelTestResult("".join(deltas), error, first_token_ms, _elapsed_ms(started), usage)


def _elapsed_ms(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _build_request(model: LanguageModel) -> ModelRequest:
    return ModelRequest(
        provider=model.provider,  # type: ignore[arg-type]
        model=model.provider_model,
        messages=(ChatMessage("system", SYSTEM_PROMPT), ChatMessage("user", QUESTION)),
        temperature=None,
        max_tokens=MAX_TOKENS,
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        timeouts=Timeouts(
            connect=settings.MODEL_CONNECT_TIMEOUT,
            first_token=min(TIMEOUT_SECONDS, settings.MODEL_FIRST_TOKEN_TIMEOUT),
            between_tokens=min(TIMEOUT_SECONDS, settings.MODEL_BETWEEN_TOKENS_TIMEOUT),
            total=TIMEOUT_SECONDS,
        ),
        supports_streaming=model.supports_streaming,
    )
