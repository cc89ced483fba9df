"""Measure what a completion uses: from the provider's reports and from what was delivered.

One measure for every way in which a turn can end. It may be read at any moment:

    output = the last plausible report + the least that what came after it can have been
    input  = the last plausible report, or an estimate; 0 until the model was asked

Without a report, each chunk is at least one token, and the whole text at least its words. No
tokenizer counts fewer, so a caller who stops never pays more than the provider's report would have
cost. A report that cannot be true counts as none.
"""

from apps.llm.tokens import TextFloor, max_prompt_tokens, min_prompt_tokens
from apps.llm.types import ModelRequest, ReasoningDelta, TextDelta, Usage, UsageReport

MAX_TOKENS = 10_000_000
"""More than any model reads or writes: a report above this is none."""

IMPLAUSIBLE_FACTOR = 16
"""A report of fewer than a sixteenth of the tokens that the text must have had is none. Not 1:
some servers count only what they did not find in their cache."""


class UsageMeter:
    """Counts one call of a model. `is_asked`: the request was sent to the model.

    Whatever takes the whole prompt or text is done only when the answer depends on it.
    """

    __slots__ = (
        "_input_reported",
        "_min_input",
        "_output_reported",
        "_reasoning",
        "_request",
        "_text",
        "is_asked",
    )

    def __init__(self, request: ModelRequest) -> None:
        self.is_asked = False
        self._request = request
        self._min_input: int | None = None
        self._input_reported: int | None = None
        self._output_reported = 0
        self._text = TextFloor()
        self._reasoning = TextFloor()

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        """Count a piece of the answer or of the reasoning."""
        floor = self._text if type(delta) is TextDelta else self._reasoning
        floor.add(delta.text, delta.chunks)

    def report(self, report: UsageReport) -> None:
        """Take what the provider counted, where it can be true, for all that came before."""
        reported = report.input_tokens
        if reported is not None and reported != self._input_reported and _is_count(reported):
            self._report_input(reported)
        reported = report.output_tokens
        if (
            reported is not None
            and _is_count(reported)
            and reported * IMPLAUSIBLE_FACTOR >= self._text.words
        ):
            self._output_reported = reported
            self._text.restart()
            self._reasoning.restart()

    @property
    def usage(self) -> Usage:
        """What was used so far, within what the request allows."""
        if not self.is_asked:
            return Usage(0, 0)
        reported, limit = self._input_reported, self._request.max_tokens
        input_tokens = self._least_input() if reported is None else reported
        output_tokens = self._output_reported + self._text.tokens + self._reasoning.tokens
        return Usage(input_tokens, output_tokens if limit is None else min(output_tokens, limit))

    def _report_input(self, reported: int) -> None:
        messages = self._request.messages
        characters = sum([len(message.text) for message in messages])
        if reported > characters:
            self._input_reported = min(reported, max_prompt_tokens(messages))
        elif (most := reported * IMPLAUSIBLE_FACTOR) >= characters or most >= self._least_input():
            self._input_reported = reported

    def _least_input(self) -> int:
        if self._min_input is None:
            self._min_input = min_prompt_tokens(self._request.messages)
        return self._min_input


def _is_count(reported: int) -> bool:
    return 0 < reported <= MAX_TOKENS
