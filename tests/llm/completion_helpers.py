"""Requests to models, and their collected answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from apps.llm import services
from apps.llm.errors import ProviderError
from apps.llm.types import (
    ChatMessage,
    Finish,
    FinishReason,
    ModelRequest,
    TextDelta,
    Timeouts,
    Usage,
)
from tests.llm.fake_provider import FakeProvider

LONG_TIMEOUTS = Timeouts(connect=30.0, first_token=60.0, between_tokens=60.0, total=90.0)


@dataclass(slots=True)
class Outcome:
    """An answer, what it used, and the error that ended it, if any."""

    deltas: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    finish: Finish | None = None
    failure: ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(self.deltas)


def sandbox_request(model: str, *texts: str, **changes: object) -> ModelRequest:
    """A request to a sandbox model with these user messages."""
    request = ModelRequest(
        provider="sandbox",
        model=f"sandbox/{model}",
        messages=tuple(ChatMessage("user", text) for text in texts),
        temperature=None,
        max_tokens=None,
        api_base="",
        api_key_env="",
        timeouts=LONG_TIMEOUTS,
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def openai_request(server: FakeProvider, **changes: object) -> ModelRequest:
    """A request to the fake provider."""
    request = ModelRequest(
        provider="openai-wire",
        model="tiny",
        messages=(ChatMessage("system", "Be brief."), ChatMessage("user", "Greet me.")),
        temperature=0.5,
        max_tokens=100,
        api_base=server.base_url,
        api_key_env="",
        timeouts=LONG_TIMEOUTS,
    )
    return replace(request, **changes)  # type: ignore[arg-type]


async def complete(request: ModelRequest) -> Outcome:
    """Collect the deltas of a completion, up to its end or error, and what it used."""
    outcome = Outcome()

    def on_delta(delta: TextDelta) -> None:
        assert delta.text
        outcome.deltas.append(delta.text)

    completion = services.Completion(request, on_delta)
    try:
        await completion.run()
        outcome.finish = Finish(cast(FinishReason, completion.finish_reason))
    except ProviderError as failure:
        outcome.failure = failure
    outcome.usage = completion.usage
    return outcome


def failing_handler(_delta: TextDelta) -> None:
    """Raises at the first delta."""
    raise ZeroDivisionError
