"""Requests to models, and their collected answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from apps.llm import services
from apps.llm.errors import ProviderError
from apps.llm.types import ChatMessage, Finish, ModelEvent, ModelRequest, TextDelta, Timeouts, Usage
from tests.llm.fake_provider import FakeProvider

LONG_TIMEOUTS = Timeouts(connect=30.0, first_token=60.0, between_tokens=60.0, total=90.0)


@dataclass(slots=True)
class Outcome:
    """An answer, and the error that ended it, if any."""

    deltas: list[str] = field(default_factory=list)
    usage: Usage | None = None
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
    """Collect the events of a completion, up to its end or error; assert their order."""
    outcome = Outcome()

    def on_event(event: ModelEvent) -> None:
        assert outcome.finish is None
        if isinstance(event, TextDelta):
            assert event.text
            assert outcome.usage is None
            outcome.deltas.append(event.text)
        elif isinstance(event, Usage):
            assert outcome.usage is None
            outcome.usage = event
        else:
            assert outcome.usage is not None
            outcome.finish = event

    try:
        await services.complete(request, on_event)
    except ProviderError as failure:
        outcome.failure = failure
    return outcome


def failing_handler(_event: ModelEvent) -> None:
    """Raises at the first event."""
    raise ZeroDivisionError
