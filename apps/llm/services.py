"""Call language models: the entry point of this app."""

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
"""Modules, imported with their clients by the first turn that needs them: commands need none."""

logger = structlog.get_logger(__name__)


async def complete(request: ModelRequest, on_event: EventHandler) -> None:
    """Request a completion and pass its events to `on_event` as they come; returns at its end.

    The events: any number of non-empty `TextDelta`s, then one `Usage` and one `Finish`. The text is
    valid Unicode without NUL. If the provider reports no usage, it is estimated. Transient errors
    before the first token are retried within the time-outs of the request.

    `on_event` is called in the event loop and must not block. Cancelling the task that waits here
    closes the connection to the provider at once.

    Raises: ProviderFailed, ProviderUnavailable, ProviderTimeout.
    """
    deadlines = Deadlines(request.timeouts)
    completion = _Completion(on_event, deadlines)
    await with_retries(
        lambda: deadlines.enforce(_call_provider(request, completion.on_event)),
        has_started=lambda: completion.has_started,
        deadlines=deadlines,
    )
    completion.finish(request)


class _Completion:
    """Turns a provider's events into those that `complete` promises."""

    __slots__ = (
        "_deadlines",
        "_finish",
        "_on_event",
        "_sanitizer",
        "_texts",
        "_usage",
        "has_started",
    )

    def __init__(self, on_event: EventHandler, deadlines: Deadlines) -> None:
        self.has_started = False
        self._on_event = on_event
        self._deadlines = deadlines
        self._sanitizer = TextSanitizer()
        self._texts: list[str] = []
        self._usage: Usage | None = None
        self._finish = Finish("stop")

    def on_event(self, event: ModelEvent) -> None:
        self.has_started = True
        if isinstance(event, TextDelta):
            if text := self._sanitizer.feed(event.text):
                self._texts.append(text)
                self._on_event(event if text == event.text else TextDelta(text))
        elif isinstance(event, Usage):
            self._usage = event
        else:
            self._finish = event
        # Last, so that the time our own handler takes does not count as the model's.
        self._deadlines.on_event(event)

    def finish(self, request: ModelRequest) -> None:
        if text := self._sanitizer.flush():
            self._texts.append(text)
            self._on_event(TextDelta(text))
        self._on_event(self._usage or _estimate_usage(request, "".join(self._texts)))
        self._on_event(self._finish)


async def _call_provider(request: ModelRequest, on_event: EventHandler) -> None:
    """Call the provider; anything it raises becomes a `ProviderError`."""
    try:
        await _provider(request.provider).complete(request, on_event)
    except ProviderError:
        raise
    except Exception as error:
        # The message and the values of an unexpected error may quote a prompt or a key, so only
        # its type and its stack are logged, and the chain is cut.
        logger.error(
            "model provider broke",
            provider=request.provider,
            model=request.model,
            error=type(error).__name__,
            stack="".join(traceback.format_tb(error.__traceback__)),
        )
        raise ProviderFailed(f"the provider broke with {type(error).__name__}") from None


def _estimate_usage(request: ModelRequest, answer: str) -> Usage:
    return Usage(estimate_prompt_tokens(request.messages), estimate_tokens(answer))


async def close_clients() -> None:
    """Close the providers' connections of this event loop. For shutdown: a later call might fail,
    because litellm does not reopen its clients."""
    for module in PROVIDERS.values():
        aclose = getattr(sys.modules.get(module), "aclose", None)
        if aclose is not None:
            await aclose()


async def preload_providers(providers: Set[ProviderKind]) -> None:
    """Import what these kinds of provider need, so that no turn waits for it.

    Importing litellm takes about 10 seconds, in a thread. May be called again.
    """
    for kind in providers & PROVIDERS.keys():
        load = getattr(_provider(kind), "load", None)
        if load is not None:
            await load()


def _provider(kind: ProviderKind) -> Provider:
    return cast(Provider, import_module(PROVIDERS[kind]))
