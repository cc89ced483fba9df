"""Scripted models for integrators and tests: every outcome without an account at a provider.

The text of `echo`, `slow`, `thinks`, `fail-midway` is `Echo: ` and the last user message without
white space at its end, and without the passages that came with it; `cite` adds the numbers of these
as `[1]`. It comes word by word; each delta is a word with the white space before it
(`Echo:`, ` hello`, ` world`). A token is a word: usage counts the words of all messages and of what
came so far, reasoning included, and `max_tokens` words end the answer with the finish reason
"length". Temperature and system prompt have no effect.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apps.llm.errors import ProviderFailed, ProviderUnavailable
from apps.llm.types import (
    ChatMessage,
    EventHandler,
    Finish,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    UsageReport,
)

SANDBOX_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox/echo": "Repeats the last message, word by word, at once.",
        "sandbox/slow": "Repeats the last message: the first word after 0.5 s, then 10 a second.",
        "sandbox/long": "Counts from 1 to 200, 50 numbers a second, whatever it is asked.",
        "sandbox/thinks": "Thinks the last message over, word by word, then repeats it.",
        "sandbox/cite": "Repeats the last message and cites every passage that it was shown.",
        "sandbox/fail-before": "Fails before the first word.",
        "sandbox/fail-midway": "Repeats the first half of the last message, then fails.",
        "sandbox/rate-limited": "Refuses every request and asks to try again in 10 s.",
        "sandbox/silent": "Accepts every request and never says a word, until a time-out.",
    }
)
"""Name and one-sentence description of each model."""

RETRY_AFTER_SECONDS = 10.0
LONG_WORDS = 200

_WORD = re.compile(r"\s*\S+")
_PASSAGE_NUMBER = re.compile(r"^\[\d+\](?= )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds before the first word, and before each later one."""

    before_first: float = 0.0
    between_words: float = 0.0


PACES = {
    "sandbox/slow": Pace(before_first=0.5, between_words=0.1),
    "sandbox/long": Pace(between_words=0.02),
}


async def complete(request: ModelRequest, on_event: EventHandler) -> None:
    """Produce the scripted answer. Raises: ProviderFailed, ProviderUnavailable, as scripted."""
    match request.model:
        case "sandbox/fail-before":
            raise ProviderFailed("sandbox/fail-before failed, as it always does")
        case "sandbox/rate-limited":
            raise ProviderUnavailable(
                "sandbox/rate-limited refused, as it always does",
                retryable=True,
                retry_after=RETRY_AFTER_SECONDS,
            )
        case "sandbox/silent":
            await asyncio.Event().wait()
        case model if model not in SANDBOX_MODELS:
            raise ProviderFailed(f"there is no sandbox model {model!r}")

    deltas = _deltas(request)
    delivered = deltas[: request.max_tokens]
    fails = request.model == "sandbox/fail-midway"
    if fails:
        delivered = delivered[: (len(delivered) + 1) // 2]
    pace = PACES.get(request.model, Pace())
    pause = pace.before_first
    prompt_words = _count_words(request.messages)
    for count, delta in enumerate(delivered, 1):
        # Even without a pause, the event loop runs other tasks before every word.
        await asyncio.sleep(pause)
        on_event(delta)
        on_event(UsageReport(prompt_words, count))
        pause = pace.between_words
    if fails:
        raise ProviderFailed("sandbox/fail-midway failed, as it always does")
    on_event(Finish("stop" if len(delivered) == len(deltas) else "length"))


def _deltas(request: ModelRequest) -> list[TextDelta | ReasoningDelta]:
    """The complete reasoning and answer, a word a delta, each with the white space before it."""
    if request.model == "sandbox/long":
        text = " ".join(str(number) for number in range(1, LONG_WORDS + 1))
        return [TextDelta(word) for word in _WORD.findall(text)]
    user_messages = (each for each in request.messages[::-1] if each.role == "user")
    message = next(user_messages, ChatMessage("user", ""))
    question = message.content
    text = f"Echo: {question}"
    if request.model == "sandbox/cite":
        text = " ".join([text.rstrip(), *_PASSAGE_NUMBER.findall(message.context)])
    answer = [TextDelta(word) for word in _WORD.findall(text)]
    if request.model != "sandbox/thinks":
        return [*answer]
    return [*(ReasoningDelta(word) for word in _WORD.findall(f"Hm: {question}")), *answer]


def _count_words(messages: Iterable[ChatMessage]) -> int:
    return sum(len(message.text.split()) for message in messages)
