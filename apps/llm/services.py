"""Call language models: the entry point of this app."""

import sys
import traceback
from collections.abc import Mapping, Set
from importlib import import_module
from typing import Literal, cast

import structlog

from apps.llm.deadlines import Deadlines, TotalTimeout
from apps.llm.errors import ContentFiltered, ProviderError, ProviderFailed
from apps.llm.metering import UsageMeter
from apps.llm.retries import with_retries
from apps.llm.text_sanitizer import TextSanitizer
from apps.llm.think_tags import ThinkTagFilter
from apps.llm.types import (
    DeltaHandler,
    EventHandler,
    Finish,
    FinishReason,
    ModelEvent,
    ModelRequest,
    Provider,
    ProviderKind,
    ReasoningDelta,
    TextDelta,
    Usage,
    UsageReport,
)

PROVIDERS: Mapping[ProviderKind, str] = {
    "sandbox": "apps.llm.providers.sandbox",
    "openai-wire": "apps.llm.providers.openai_compatible",
    "litellm": "apps.llm.providers.litellm",
}
"""Modules, imported with their clients by the first turn that needs them: commands need none."""

logger = structlog.get_logger(__name__)


class Completion:
    """One request for a completion. Its `usage` can be read at any moment, however it ends.

    `finish_reason` is "" until the provider gives one or `run` returns.
    """

    __slots__ = (
        "_deadlines",
        "_has_started",
        "_meter",
        "_on_delta",
        "_request",
        "_sanitizer",
        "_think_tags",
        "finish_reason",
    )

    def __init__(self, request: ModelRequest, on_delta: DeltaHandler) -> None:
        self.finish_reason: FinishReason | Literal[""] = ""
        self._request = request
        self._on_delta = on_delta
        self._meter = UsageMeter(request)
        self._sanitizer = TextSanitizer()
        self._think_tags: ThinkTagFilter | None = ThinkTagFilter()
        self._has_started = False

    @property
    def usage(self) -> Usage:
        """The tokens used so far: see `apps.llm.metering`."""
        return self._meter.usage

    async def run(self) -> None:
        """Request the completion and pass its text to `on_delta` as it comes; return at its end.

        The text is valid Unicode without NUL, and has no reasoning in it. Transient errors before
        the first token are retried within the time-outs of the request. The total time-out ends an
        answer that has begun as its `max_tokens` would, with the finish reason "length".

        `on_delta` is called in the event loop and must not block. Cancelling the task that waits
        here closes the connection to the provider at once.

        Raises: ProviderFailed, ProviderUnavailable, ProviderTimeout.
        """
        self._deadlines = Deadlines(self._request.timeouts)
        try:
            await self._run()
        finally:
            del self._on_delta  # whoever it belongs to may hold this: a cycle

    async def _run(self) -> None:
        try:
            await with_retries(
                self._attempt, has_started=lambda: self._has_started, deadlines=self._deadlines
            )
        except TotalTimeout:
            if not self._has_started:
                raise
            self.finish_reason = "length"
        except ContentFiltered as refusal:
            logger.info("model refused", detail=refusal.detail)
            self.finish_reason = "content_filter"
        self._pass_on(self._sanitizer.flush(), is_last=True)
        self.finish_reason = self.finish_reason or "stop"

    async def _attempt(self) -> None:
        self._meter.is_asked = True
        try:
            await self._deadlines.enforce(_call_provider(self._request, self._on_event))
        except ProviderError:
            if not self._has_started:  # whatever it reported, nothing of it was delivered
                self._meter = UsageMeter(self._request)
            raise

    def _on_event(self, event: ModelEvent) -> None:
        if type(event) is TextDelta:
            self._has_started = True
            self._meter.add(event)
            text = self._sanitizer.feed(event.text)
            if text == event.text and self._think_tags is None:
                self._on_delta(event)
            else:
                self._pass_on(text)
        elif type(event) is ReasoningDelta:
            self._has_started = True
            self._meter.add(event)
        elif type(event) is UsageReport:
            self._meter.report(event)
        elif type(event) is Finish:
            self.finish_reason = event.reason
        # Last, so that the time our own handler takes does not count as the model's.
        self._deadlines.on_event(event)

    def _pass_on(self, text: str, *, is_last: bool = False) -> None:
        if tags := self._think_tags:
            text = tags.feed(text)
            if is_last:
                text += tags.flush()
            if tags.is_done:
                self._think_tags = None
        if text:
            self._on_delta(TextDelta(text))


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
