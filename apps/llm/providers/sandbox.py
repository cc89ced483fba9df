"""Models that ship with the product and follow a script, so that integrators and tests meet
every outcome without an account anywhere.

The text of `echo`, `slow`, `fail-midway` is `Echo: ` and the last user message, white space at
its end dropped. It comes word by word; each delta is a word with the white space before it
(`Echo:`, ` hello`, ` world`). A token is a word: usage counts the words of all messages and of
the answer so far, and `max_tokens` words end the answer with the finish reason "length".
Temperature and system prompt change nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apps.llm.errors import ProviderFailed, ProviderUnavailable
from apps.llm.types import ChatMessage, EventHandler, Finish, ModelRequest, TextDelta, Usage

SANDBOX_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox/echo": "Repeats the last message, word by word, at once.",
        "sandbox/slow": "Repeats the last message: the first word after 0.5 s, then 10 a second.",
        "sandbox/long": "Counts from 1 to 200, 50 numbers a second, whatever it is asked.",
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


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds before the first word, and before each later one."""

    first: float = 0.0
    later: float = 0.0


PACES = {"sandbox/slow": Pace(first=0.5, later=0.1), "sandbox/long": Pace(later=0.02)}


async def complete(request: ModelRequest, on_event: EventHandler) -> None:
    """Play the model's script; see the module's text.

    Raises: ProviderFailed, ProviderUnavailable, as scripted.
    """
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

    answer = _answer(request)
    words = answer[: request.max_tokens]
    failing = request.model == "sandbox/fail-midway"
    if failing:
        words = words[: (len(words) + 1) // 2]
    pace = PACES.get(request.model, Pace())
    pause = pace.first
    for word in words:
        # Even without a pause, the event loop gets its turn before every word.
        await asyncio.sleep(pause)
        on_event(TextDelta(word))
        pause = pace.later
    if failing:
        raise ProviderFailed("sandbox/fail-midway failed, as it always does")
    on_event(Usage(_count_words(request.messages), len(words)))
    on_event(Finish("stop" if len(words) == len(answer) else "length"))


def _answer(request: ModelRequest) -> list[str]:
    """The words of the whole answer, each with the white space before it."""
    if request.model == "sandbox/long":
        text = " ".join(str(number) for number in range(1, LONG_WORDS + 1))
    else:
        asked = (line.content for line in reversed(request.messages) if line.role == "user")
        text = f"Echo: {next(asked, '')}"
    return _WORD.findall(text)


def _count_words(messages: Iterable[ChatMessage]) -> int:
    return sum(len(message.content.split()) for message in messages)
