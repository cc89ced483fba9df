"""Citations without a search."""

from __future__ import annotations

from apps.conversations.models import Citation, Turn
from apps.core.ids import new_id


def make_citation(
    turn: Turn, *, number: int = 1, text: str = "A passage.", **fields: object
) -> Citation:
    """A passage that the turn's model was shown, by default of a source that is gone."""
    values = {"source_id": new_id(), "chunk_id": new_id(), "digest": "0" * 64, "score": 0.03}
    return Citation.objects.create(
        workspace_id=turn.workspace_id, turn=turn, number=number, text=text, **values | fields
    )
