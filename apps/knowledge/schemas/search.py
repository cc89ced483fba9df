"""Schemas of searches."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from apps.api_kit.schemas import ACCEPT_WHOLE_FLOAT, RequestSchema, ResponseSchema
from apps.knowledge.schemas.fields import WrittenText
from apps.knowledge.search.results import Passage

MAX_SEARCH_LENGTH = 2000


class SearchSchema(RequestSchema):
    """A question to search a knowledge base for."""

    query: Annotated[WrittenText, Field(min_length=1, max_length=MAX_SEARCH_LENGTH)]
    limit: Annotated[int, Field(ge=1, le=20), ACCEPT_WHOLE_FLOAT] = 5


class SearchResultSchema(ResponseSchema):
    """A passage that was found. `score` orders the results of one search, and means nothing else.

    `matchedBy`: by its words, by its meaning (`vectors`), or by both.
    """

    source_id: str
    chunk_id: str
    title: str
    url: str | None
    page: int | None
    text: str
    score: float
    matched_by: list[Literal["words", "vectors"]]

    @classmethod
    def from_passage(cls, passage: Passage) -> Self:
        values: dict[str, Any] = {
            "chunk_id": passage.chunk_ids[0],
            "url": passage.url or None,
            "score": round(passage.score, 6),
            "matched_by": list(passage.matched_by),
        }
        return cls.from_row(passage, **values)


class SearchResultListSchema(ResponseSchema):
    results: list[SearchResultSchema]
