"""Annotations of a completion: where its text cites a page.

The shape is that of OpenAI's web search. `start_index` and `end_index` are positions in `content`,
counted in characters; the end is exclusive, as in what OpenAI sends, though its reference calls it
the last character.
"""

from typing import Any

from apps.chat.engine.events import TurnEnded
from apps.conversations.citations import citation_marks


def url_citations(ended: TurnEnded) -> list[dict[str, Any]]:
    """An annotation for each mark of a source that has an address, in the order of the text."""
    pages = {source.number: source for source in ended.sources if source.url}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": mark.start,
                "end_index": mark.end,
                "title": page.title,
                "url": page.url,
            },
        }
        for mark in citation_marks(ended.response)
        for number in mark.numbers
        if (page := pages.get(number))
    ]
