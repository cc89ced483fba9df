"""The one door to the models."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncGenerator, Mapping, Set
from contextlib import aclosing
from importlib import import_module
from typing import cast

import structlog

from apps.llm.errors import ModelError, ModelFailure
from apps.llm.limits import Limits
from apps.llm.retries import with_retries
from apps.llm.text import FitText
from apps.llm.tokens import estimate_prompt_tokens, estimate_tokens
from apps.llm.types import (
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
    "openai-wire": "apps.llm.providers.openai_wire",
    "litellm": "apps.llm.providers.litellm",
}
"""Modules, each imported with its client when a turn, or `warm`, needs it: a command needs none."""

logger = structlog.get_logger(__name__)


async def stream(request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    """Ask a model, and yield its answer as it comes.

    Yields any number of non-empty `TextDelta`s, then one `Usage` and one `Finish`. The text is
    valid Unicode without NUL. A provider that reports no usage gets an estimate. Transient
    failures before the first token are retried within the time-outs of the request.

    Cancelling the task that waits here closes the connection to the provider at once. A consumer
    that stops early must close the stream: `async with aclosing(stream(request)) as events`.

    Raises: ModelError, ModelUnavailable, ModelTimeout.
    """
    limits = Limits(request.timeouts)
    fit, said = FitText(), list[str]()
    usage, finish = None, Finish("stop")
    attempts = with_retries(lambda: limits.watch(_ask(request)), limits)
    async with aclosing(attempts) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                if text := fit.feed(event.text):
                    said.append(text)
                    yield event if text == event.text else TextDelta(text)
            elif isinstance(event, Usage):
                usage = event
            else:
                finish = event
    if text := fit.finish():
        said.append(text)
        yield TextDelta(text)
    yield usage or _estimated_usage(request, "".join(said))
    yield finish


async def _ask(request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    """The provider's own events; anything it raises is a `ModelFailure`."""
    try:
        async with aclosing(_provider(request.provider).stream(request)) as events:
            async for event in events:
                yield event
    except ModelFailure:
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
        raise ModelError(f"the provider broke with {type(error).__name__}") from None


def _estimated_usage(request: ModelRequest, answer: str) -> Usage:
    return Usage(estimate_prompt_tokens(request.messages), estimate_tokens(answer))


async def aclose_clients() -> None:
    """Close the connections that providers keep on this event loop. For shutdown: our own readers
    would open new ones for a later call, litellm might not."""
    for module in PROVIDERS.values():
        aclose = getattr(sys.modules.get(module), "aclose", None)
        if aclose is not None:
            await aclose()


async def warm(providers: Set[ProviderKind]) -> None:
    """Prepare the kinds of provider that a catalogue uses, so that no turn waits for it.

    Importing litellm takes about 10 seconds, in a thread. May be called again.
    """
    for kind in providers & PROVIDERS.keys():
        load = getattr(_provider(kind), "load", None)
        if load is not None:
            await load()


def _provider(kind: ProviderKind) -> Provider:
    return cast(Provider, import_module(PROVIDERS[kind]))
