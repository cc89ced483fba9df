"""One measure of what a completion uses, whatever its provider tells and however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.credits.prices import Price
from apps.llm.metering import MAX_TOKENS, UsageMeter
from apps.llm.tokens import max_prompt_tokens
from apps.llm.types import (
    ChatMessage,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    Timeouts,
    Usage,
    UsageReport,
)

MESSAGES = (ChatMessage("system", "Be brief."), ChatMessage("user", "Count to one thousand."))
PROMPT_WORDS = 6
REQUEST = ModelRequest("openai-wire", "tiny", MESSAGES, None, None, "", "", Timeouts(1, 1, 1, 1))


def measure(*events: TextDelta | ReasoningDelta | UsageReport, **changes: Any) -> Usage:
    """The usage after these events."""
    return meter_after(events, replace(REQUEST, **changes)).usage


def meter_after(events: Sequence[Any], request: ModelRequest) -> UsageMeter:
    meter = UsageMeter(request)
    meter.is_asked = True
    for event in events:
        meter.report(event) if isinstance(event, UsageReport) else meter.add(event)
    return meter


def test_nothing_is_used_until_the_model_is_asked() -> None:
    assert UsageMeter(REQUEST).usage == Usage(0, 0)
    assert measure() == Usage(PROMPT_WORDS, 0)


@pytest.mark.parametrize(
    ("deltas", "tokens"),
    [
        pytest.param([TextDelta("x")] * 2000, 2000, id="one-byte-tokens"),
        pytest.param([TextDelta(" internationalization")] * 200, 200, id="long-words"),
        pytest.param([TextDelta("x" * 2000, 2000)], 2000, id="joined-by-the-reader"),
        pytest.param([ReasoningDelta("hm")] * 5000 + [TextDelta("x")] * 10, 5010, id="reasoning"),
        pytest.param([TextDelta("five words in one chunk")] * 3, 13, id="coalesced"),
        pytest.param([TextDelta("语言模型" * 300)], 400, id="chinese-in-one-chunk"),
        pytest.param([TextDelta("สวัสดี" * 400)], 300, id="thai-in-one-chunk"),
        pytest.param([TextDelta("語 word 語 x")], 4, id="words-of-one-character"),
        pytest.param([TextDelta("x" * 3200)], 100, id="no-words-in-one-chunk"),
        pytest.param([TextDelta(" \n ")], 1, id="white-space"),
    ],
)
def test_output_is_at_least_its_chunks_and_words(deltas: list[Any], tokens: int) -> None:
    assert measure(*deltas) == Usage(PROMPT_WORDS, tokens)


def test_last_report_counts_and_what_came_after_it() -> None:
    word = TextDelta(" word")
    assert measure(word, UsageReport(10, 20)) == Usage(10, 20)
    assert measure(word, UsageReport(10, 20), word, word) == Usage(10, 22)
    assert measure(word, UsageReport(10, 20), word, UsageReport(10, 25)) == Usage(10, 25)


@pytest.mark.parametrize("bad", [None, 0, -1, 2**31, 10**12, MAX_TOKENS + 1])
def test_impossible_report_is_none(bad: int | None) -> None:
    word = TextDelta(" word")
    assert measure(word, UsageReport(bad, bad)) == Usage(PROMPT_WORDS, 1)
    assert measure(word, UsageReport(10, 20), UsageReport(bad, bad)) == Usage(10, 20)
    assert measure(word, UsageReport(bad, 20)) == Usage(PROMPT_WORDS, 20)


def test_report_far_below_the_text_is_none() -> None:
    text = [TextDelta(" word")] * 300
    assert measure(*text, UsageReport(10, 1)) == Usage(10, 300)
    assert measure(*text, UsageReport(10, 200)) == Usage(10, 200)
    long = (ChatMessage("user", "word " * 4000),)
    assert measure(*text, UsageReport(1, 300), messages=long) == Usage(4000, 300)


def test_usage_is_within_what_the_request_allows() -> None:
    text = [TextDelta(" word")] * 30
    assert measure(*text, max_tokens=20).output_tokens == 20
    assert measure(*text, UsageReport(10, 50), max_tokens=20).output_tokens == 20
    assert measure(UsageReport(9_000_000, 5)).input_tokens == max_prompt_tokens(MESSAGES)


TOKENS = st.sampled_from([" word", "x", " internationalization", "語", "\n", "ing", " a", "🙂"])


@dataclass(frozen=True)
class Stream:
    """A provider's stream: chunks of one or more tokens, and what it reports after each."""

    chunks: list[tuple[type[TextDelta | ReasoningDelta], list[str]]]
    prompt_tokens: int
    reports: str

    def events(self) -> Iterator[Any]:
        """The events, those of a chunk together with its report in a list."""
        spoken = 0
        for kind, tokens in self.chunks:
            spoken += len(tokens)
            yield [kind("".join(tokens)), *self._report(spoken, is_last=False)]
        yield self._report(spoken, is_last=True)

    def _report(self, spoken: int, *, is_last: bool) -> list[UsageReport]:
        match self.reports:
            case "every chunk":
                return [UsageReport(self.prompt_tokens, spoken)]
            case "end" if is_last:
                return [UsageReport(self.prompt_tokens, spoken)]
            case "zeros last":
                return [UsageReport(0, 0) if is_last else UsageReport(self.prompt_tokens, spoken)]
            case "impossible":
                return [UsageReport(2**31 + spoken, -spoken)]
        return []


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    size = draw(st.sampled_from([1, 12]))
    kinds: st.SearchStrategy[type[TextDelta | ReasoningDelta]]
    kinds = st.sampled_from([TextDelta, ReasoningDelta])
    chunk = st.tuples(kinds, st.lists(TOKENS, min_size=1, max_size=size))
    reports = ["none", "end", "every chunk", "zeros last", "impossible"]
    return Stream(
        draw(st.lists(chunk, max_size=40)),
        draw(st.integers(PROMPT_WORDS, max_prompt_tokens(MESSAGES))),
        draw(st.sampled_from(reports)),
    )


@given(
    streams(),
    st.builds(Price, *(st.integers(0, 5000) for _ in range(3))),
    st.none() | st.integers(1, 200),
)
def test_stop_costs_at_most_the_finish_and_at_least_what_was_delivered(
    stream: Stream, price: Price, limit: int | None
) -> None:
    spoken = sum(len(tokens) for _, tokens in stream.chunks)
    request = replace(REQUEST, max_tokens=limit or max(spoken, 1))
    hold = cost(price, Usage(max_prompt_tokens(MESSAGES), request.max_tokens or 0))
    steps, before = list(stream.events()), 0
    honest = Usage(stream.prompt_tokens, min(spoken, request.max_tokens or spoken))
    finish = meter_after([event for step in steps for event in step], request).usage
    if stream.reports in ("end", "every chunk") and spoken:
        assert finish == honest
    for number in range(len(steps) + 1):
        events = [event for step in steps[:number] for event in step]
        stop = meter_after(events, request).usage
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert before <= cost(price, stop) <= min(cost(price, finish), cost(price, honest), hold)
        assert stop.output_tokens >= min(len(text.split()), limit or spoken)
        assert stop.output_tokens >= min(number, len(stream.chunks), limit or spoken)
        assert stop.input_tokens >= PROMPT_WORDS
        before = cost(price, stop)


def cost(price: Price, usage: Usage) -> int:
    return price.credits_for(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
