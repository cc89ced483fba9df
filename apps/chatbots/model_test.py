"""One question to a language model, to see that it answers: how, how fast and with what usage."""

from __future__ import annotations

import time
from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.conf import settings

from apps.chatbots.models import LanguageModel
from apps.llm.errors import ProviderError
from apps.llm.services import complete
from apps.llm.types import ChatMessage, ModelEvent, ModelRequest, TextDelta, Timeouts, Usage

SYSTEM_PROMPT = "You are being tested. Answer in one short sentence."
QUESTION = "Which language model are you?"
MAX_TOKENS = 64
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ModelTestResult:
    """What came of it. `error` is a sentence, or "" where the model answered; times are in
    milliseconds from the call."""

    answer: str
    error: str
    first_token_ms: int | None
    total_ms: int
    usage: Usage | None


def run_model_test(model: LanguageModel) -> ModelTestResult:
    """Ask the model one question: at most 64 tokens and 30 seconds. Costs no workspace anything.

    In a web process this runs on the server's own event loop, over the connections of the turns.
    """
    return async_to_sync(_run)(_build_request(model))


async def _run(request: ModelRequest) -> ModelTestResult:
    began = time.perf_counter()
    said: list[str] = []
    first: int | None = None
    usage: Usage | None = None
    failure = ""

    def take(event: ModelEvent) -> None:
        nonlocal first, usage
        if isinstance(event, TextDelta):
            first = _elapsed_ms(began) if first is None else first
            said.append(event.text)
        elif isinstance(event, Usage):
            usage = event

    try:
        await complete(request, take)
    except ProviderError as error:
        failure = f"{type(error).__name__}: {error}"
    return ModelTestResult("".join(said), failure, first, _elapsed_ms(began), usage)


def _elapsed_ms(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


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
