"""The one door to the models."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Set
from importlib import import_module
from typing import cast

import structlog

from apps.llm.deadlines import Deadlines
from apps.llm.errors import ProviderError, ProviderFailed
from apps.llm.retries import with_retries
from apps.llm.text_sanitizer import TextSanitizer
from apps.llm.tokens import estimate_prompt_tokens, estimate_tokens
from apps.llm.types import (
    EventHandler,
    Finish,
    ModelEvent,
    ModelRequest,
    Provider,
    ProviderKind,
    TextDelta,
    Usage,
)

PROVIDERS: Mapping[ProviderKind, str] = {
    "sandbox": "apps.llm.providers.sandbox",
    "openai-wire": "apps.llm.providers.openai_compatible",
    "litellm": "apps.llm.providers.litellm",
}
"""Modules, each imported with its client when a turn, or `preload_providers`, needs it: a command needs none."""

logger = structlog.get_logger(__name__)


async def complete(request: ModelRequest, on_event: EventHandler) -> None:
    """Ask a model, and give `on_event` its answer as it comes; returns at its end.

    What is given: any number of non-empty `TextDelta`s, then one `Usage` and one `Finish`. The
    text is valid Unicode without NUL. A provider that reports no usage gets an estimate.
    Transient failures before the first token are retried within the time-outs of the request.

    `on_event` is called in the event loop, and must not wait. Cancelling the task that waits here
    closes the connection to the provider at once.

    Raises: ProviderFailed, ProviderUnavailable, ProviderTimeout.
    """
    limits = Deadlines(request.timeouts)
    answer = _CompletionHandler(on_event, limits)
    await with_retries(
        lambda: limits.enforce(_ask(request, answer.on_event)),
        has_started=lambda: answer.has_started,
        deadlines=limits,
    )
    answer.finish(request)


class _CompletionHandler:
    """What a provider says, made fit to be told."""

    __slots__ = ("_finish", "_fit", "_limits", "_said", "_take", "_usage", "has_started")

    def __init__(self, take: EventHandler, limits: Deadlines) -> None:
        self.has_started = False
        self._take = take
        self._limits = limits
        self._fit = TextSanitizer()
        self._said: list[str] = []
        self._usage: Usage | None = None
        self._finish = Finish("stop")

    def on_event(self, event: ModelEvent) -> None:
        self.has_started = True
        if isinstance(event, TextDelta):
            if text := self._fit.feed(event.text):
                self._said.append(text)
                self._take(event if text == event.text else TextDelta(text))
        elif isinstance(event, Usage):
            self._usage = event
        else:
            self._finish = event
        # After the taker's own work, which is not the model's.
        self._limits.on_event(event)

    def finish(self, request: ModelRequest) -> None:
        if text := self._fit.flush():
            self._said.append(text)
            self._take(TextDelta(text))
        self._take(self._usage or _estimated_usage(request, "".join(self._said)))
        self._take(self._finish)


async def _ask(request: ModelRequest, take: EventHandler) -> None:
    """What the provider does; anything it raises is a `ProviderError`."""
    try:
        await _provider(request.provider).complete(request, take)
    except ProviderError:
        raise
    except Exception as error:
        # The message and the values of an unforeseen error may quote a prompt or a key, so the
        # log gets its type and its way through the code, and the chain is cut.
        logger.error(
            "model provider broke",
            provider=request.provider,
            model=request.model,
            error=type(error).__name__,
            stack="".join(traceback.format_tb(error.__traceback__)),
        )
        raise ProviderFailed(f"the provider broke with {type(error).__name__}") from None


def _estimated_usage(request: ModelRequest, answer: str) -> Usage:
    return Usage(estimate_prompt_tokens(request.messages), estimate_tokens(answer))


async def close_clients() -> None:
    """Close the connections that providers keep on this event loop. For shutdown: our own readers
    would open new ones for a later call, litellm might not."""
    for module in PROVIDERS.values():
        aclose = getattr(sys.modules.get(module), "aclose", None)
        if aclose is not None:
            await aclose()


async def preload_providers(providers: Set[ProviderKind]) -> None:
    """Prepare the kinds of provider that a catalogue uses, so that no turn waits for it.

    Importing litellm takes about 10 seconds, in a thread. May be called again.
    """
    for kind in providers & PROVIDERS.keys():
        load = getattr(_provider(kind), "load", None)
        if load is not None:
            await load()


def _provider(kind: ProviderKind) -> Provider:
    return cast(Provider, import_module(PROVIDERS[kind]))
