"""The sources of answers: the passages that models were shown, as they were shown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apps.conversations.citations import citation_marks, citations_of, cited_numbers
from apps.conversations.models import Citation, Turn
from apps.knowledge.queries import existing_source_ids


@dataclass(frozen=True, slots=True)
class ShownSource:
    """A passage under its number, and whether the source that it is from still exists."""

    citation: Citation
    is_cited: bool
    source_exists: bool

    @property
    def link(self) -> str:
        """The address of the web page that it is from, "" if it is from none."""
        url = str(self.citation.url)
        return url if url.startswith(("https://", "http://")) else ""

    @property
    def element_id(self) -> str:
        """The id of its element on a page."""
        return f"source-{self.citation.turn_id}-{self.citation.number}"


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """A piece of an answer's text; with a source, it is the number that cites it."""

    text: str
    source: ShownSource | None = None


def load_sources(
    turns: Sequence[Turn], answers: Mapping[str, str]
) -> Mapping[str, list[ShownSource]]:
    """The sources of turns of one workspace by the turn's id, those that its answer cites first.

    `answers` are the turns' texts by id. Makes no query if no turn used knowledge.
    """
    citations = citations_of(turns)
    source_ids = {each.source_id for found in citations.values() for each in found}
    existing = existing_source_ids(turns[0].workspace_id, source_ids) if source_ids else set()
    return {
        turn_id: list(_cited_first(found, cited_numbers(answers.get(turn_id, "")), existing))
        for turn_id, found in citations.items()
    }


def _cited_first(
    citations: Sequence[Citation], cited: frozenset[int], existing: set[str]
) -> Iterator[ShownSource]:
    for is_cited in (True, False):
        for citation in citations:
            if (citation.number in cited) is is_cited:
                yield ShownSource(citation, is_cited, citation.source_id in existing)


def split_answer(answer: str, sources: Sequence[ShownSource]) -> list[AnswerPart]:
    """An answer's text in pieces, so that each number that cites a source can be a link to it."""
    by_number = {source.citation.number: source for source in sources}
    parts, end = list[AnswerPart](), 0
    for mark in citation_marks(answer) if sources else ():
        parts.append(AnswerPart(answer[end : mark.start]))
        for text in re.split(r"(\d+)", answer[mark.start : mark.end]):
            number = int(text) if text.isdecimal() else 0
            parts.append(AnswerPart(text, by_number.get(number)))
        end = mark.end
    return [*parts, AnswerPart(answer[end:])]
