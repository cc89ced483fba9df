"""One question to a language model, to see that it answers: how, how fast and with what usage."""

from __future__ import annotations

import time
from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.conf import settings

from apps.chatbots.models import LanguageModel
from apps.llm.errors import ModelFailure
from apps.llm.services import ask
from apps.llm.types import ChatMessage, ModelEvent, ModelRequest, TextDelta, Timeouts, Usage

SYSTEM = "You are being tested. Answer in one short sentence."
QUESTION = "Which language model are you?"
MOST_TOKENS = 64
MOST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `failure` is a sentence, or "" where the model answered; times are in
    milliseconds from the call."""

    answer: str
    failure: str
    first_token_ms: int | None
    total_ms: int
    usage: Usage | None


def try_model(model: LanguageModel) -> Trial:
    """Ask the model one question: at most 64 tokens and 30 seconds. Costs no workspace anything.

    In a web process this runs on the server's own event loop, over the connections of the turns.
    """
    return async_to_sync(_tried)(_request(model))


async def _tried(request: ModelRequest) -> Trial:
    began = time.perf_counter()
    said: list[str] = []
    first: int | None = None
    usage: Usage | None = None
    failure = ""

    def take(event: ModelEvent) -> None:
        nonlocal first, usage
        if isinstance(event, TextDelta):
            first = _since(began) if first is None else first
            said.append(event.text)
        elif isinstance(event, Usage):
            usage = event

    try:
        await ask(request, take)
    except ModelFailure as error:
        failure = f"{type(error).__name__}: {error}"
    return Trial("".join(said), failure, first, _since(began), usage)


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _request(model: LanguageModel) -> ModelRequest:
    return ModelRequest(
        provider=model.provider,  # type: ignore[arg-type]
        model=model.provider_model,
        messages=(ChatMessage("system", SYSTEM), ChatMessage("user", QUESTION)),
        temperature=None,
        max_tokens=MOST_TOKENS,
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        timeouts=Timeouts(
            connect=settings.MODEL_CONNECT_TIMEOUT,
            first_token=min(MOST_SECONDS, settings.MODEL_FIRST_TOKEN_TIMEOUT),
            between_tokens=min(MOST_SECONDS, settings.MODEL_BETWEEN_TOKENS_TIMEOUT),
            total=MOST_SECONDS,
        ),
        supports_streaming=model.supports_streaming,
    )
