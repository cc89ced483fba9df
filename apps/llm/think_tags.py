"""Take the reasoning out of answers that begin with it, between tags such as <think>.

Some servers do not separate what a model thinks from what it answers. Only tags at the very
beginning count: later ones are the answer's own, in a code block for example.
"""

import re

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
"""Opening and closing tags, in lower case."""

_FIRST_CHARACTERS = tuple({tag[0] for tag in _TAGS})
_NO_TAGS = re.compile("")
_MAX_TAG_LENGTH = max(map(len, (*_TAGS, *_TAGS.values())))


class ThinkTagFilter:
    """Takes the pieces of one answer in order, split anywhere, and returns them without reasoning.

    Reasoning ends where as many tags are closed as were opened. If that is nowhere, because the
    model mentions a tag while it thinks, it ends at the last closing tag; without any, everything
    is reasoning. `is_done`: the rest of the answer is returned as it comes.
    """

    __slots__ = (
        "_answer",
        "_close",
        "_depth",
        "_has_thought",
        "_is_thinking",
        "_pending",
        "_tags",
        "is_done",
    )

    def __init__(self) -> None:
        self.is_done = False
        self._pending = ""
        self._has_thought = False
        self._close = ""
        self._tags = _NO_TAGS
        self._is_thinking = False
        self._depth = 0
        self._answer: list[str] | None = None

    def feed(self, piece: str) -> str:
        """Return what of the answer is certain with this piece."""
        return piece if self.is_done else self._filter(piece)

    def _filter(self, piece: str) -> str:
        self._pending += piece
        while self._is_thinking or self._begins_reasoning():
            if not self._skip_reasoning():
                return ""
        if not self.is_done:
            return ""
        answer, self._pending = self._pending, ""
        return answer

    def flush(self) -> str:
        """Return what the end of the answer makes certain."""
        pending, self._pending = self._pending, ""
        if not self._is_thinking:
            return pending.lstrip() if self._has_thought else pending
        return "".join([*self._answer, pending]).lstrip() if self._answer is not None else ""

    def _begins_reasoning(self) -> bool:
        """Whether an opening tag comes next; sets `is_done` if there is certainly none."""
        start = self._pending.lstrip()
        may_begin = not start or start.startswith(_FIRST_CHARACTERS)
        if may_begin:
            lower = start[:_MAX_TAG_LENGTH].lower()
            for tag, close in _TAGS.items():
                if lower.startswith(tag):
                    self._open(tag, close)
                    self._pending = start[len(tag) :]
                    return True
            may_begin = any(tag.startswith(lower) for tag in _TAGS)
        self.is_done = not may_begin
        if self.is_done and self._has_thought:
            self._pending = start
        return False

    def _open(self, tag: str, close: str) -> None:
        self._is_thinking = True
        self._close, self._depth, self._answer = close, 1, None
        self._tags = re.compile(f"{re.escape(tag)}|{re.escape(close)}", re.IGNORECASE)

    def _skip_reasoning(self) -> bool:
        """Drop reasoning up to its end; return whether that has come."""
        while match := self._tags.search(self._pending):
            before, tag = self._pending[: match.start()], match[0].lower()
            self._pending = self._pending[match.end() :]
            if tag == self._close:
                self._depth -= 1
                self._answer = []
            else:
                self._depth += 1
                if self._answer is not None:
                    self._answer += [before, match[0]]
            if self._depth == 0:
                self._is_thinking, self._has_thought = False, True
                return True
        # The end may be the beginning of a tag.
        kept = min(len(self._pending), _MAX_TAG_LENGTH)
        if self._answer is not None:
            self._answer.append(self._pending[:-kept])
        self._pending = self._pending[-kept:]
        return False
