"""Citations of turns: reading them, what is told of them, and which of them an answer cites."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from apps.conversations.models import Citation, Knowledge, Turn

_MARK = re.compile(r"\[(\d{1,2}(?:\s*[,;]\s*\d{1,2})*)\]")


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """A passage that the model was shown, under its number from 1. `url` and `page` may be empty:
    "" and None."""

    number: int
    source_id: str
    title: str
    url: str
    page: int | None
    quote: str

    @classmethod
    def from_citation(cls, citation: Citation) -> Self:
        return cls(
            number=citation.number,
            source_id=citation.source_id,
            title=citation.title,
            url=citation.url,
            page=citation.page,
            quote=citation.quote,
        )

    def data(self) -> dict[str, Any]:
        """The source as an object."""
        return {
            "number": self.number,
            "sourceId": self.source_id,
            "title": self.title,
            "url": self.url or None,
            "page": self.page,
            "quote": self.quote,
        }


@dataclass(frozen=True, slots=True)
class CitationMark:
    """A mark in an answer, `[1]` or `[1, 3]`, from the character `start` to before `end`."""

    numbers: tuple[int, ...]
    start: int
    end: int


def citation_marks(answer: str) -> list[CitationMark]:
    """The marks of an answer, in its order."""
    return [
        CitationMark(tuple(dict.fromkeys(map(int, re.findall(r"\d+", mark[1])))), *mark.span())
        for mark in _MARK.finditer(answer)
    ]


def cited_numbers(answer: str) -> frozenset[int]:
    """The numbers that an answer cites."""
    return frozenset(number for mark in citation_marks(answer) for number in mark.numbers)


def sources_data(sources: Sequence[AnswerSource], answer: str) -> list[dict[str, Any]]:
    """The sources of a whole answer as objects, with `cited`: whether it has their number."""
    numbers = cited_numbers(answer)
    return [{**source.data(), "cited": source.number in numbers} for source in sources]


def citations_of(turns: Iterable[Turn]) -> Mapping[str, list[Citation]]:
    """The citations of turns of one workspace, in their order, by the turn's id.

    Only of turns that told of them: others may have rows whose writing came too late. Makes no
    query if no turn has any.
    """
    found: dict[str, list[Citation]] = defaultdict(list)
    cited = {turn.id: turn.workspace_id for turn in turns if turn.knowledge == Knowledge.FOUND}
    if cited:
        rows = Citation.objects.filter(workspace_id__in=set(cited.values()), turn_id__in=cited)
        for citation in rows.order_by("turn_id", "number"):
            found[citation.turn_id].append(citation)
    return found
