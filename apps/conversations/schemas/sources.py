"""Schemas of the sources of an answer."""

from collections.abc import Sequence
from typing import Literal, Self

from apps.api_kit.schemas import ResponseSchema
from apps.conversations.citations import cited_numbers
from apps.conversations.models import Citation

Knowledge = Literal["found", "nothing_found", "unavailable"]
"""What came of the search for passages."""


class AnswerSourceSchema(ResponseSchema):
    """A passage that the model was shown, as it was then. `cited`: the answer has its `number`.

    `quote` is its beginning. The source may have changed since, or be deleted.
    """

    number: int
    source_id: str
    title: str
    url: str | None
    page: int | None
    quote: str
    cited: bool

    @classmethod
    def from_citation(cls, citation: Citation, *, cited: bool) -> Self:
        return cls.from_row(citation, url=citation.url or None, cited=cited)


def answer_sources(citations: Sequence[Citation], answer: str) -> list[AnswerSourceSchema]:
    """The sources of an answer with this text, by their numbers."""
    cited = cited_numbers(answer) if citations else ()
    return [
        AnswerSourceSchema.from_citation(each, cited=each.number in cited) for each in citations
    ]
