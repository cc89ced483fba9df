"""Passages that a search found."""

from __future__ import annotations

from apps.conversations.models import Knowledge
from apps.knowledge.search.results import Passage
from apps.turns.citations import Retrieved

PASSAGES = tuple(
    Passage(
        chunk_ids=(f"chunk-{number}",),
        source_id=f"source-{number}",
        document_id="document",
        position=number,
        last_position=number,
        title=f"Page {number}",
        heading_path=(),
        url=f"https://shop.test/{number}",
        page=number,
        text=f"What page {number} says.",
        tokens=5,
        digest=f"{number:064}",
        score=0.03,
        matched_by=("words", "vectors"),
    )
    for number in (7, 3)
)

FOUND = Retrieved(Knowledge.FOUND, 12, PASSAGES)
