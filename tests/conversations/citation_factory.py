"""Citations and turns with knowledge, without a search."""

from __future__ import annotations

from typing import Any

from apps.chatbots.models import Chatbot
from apps.conversations.models import Citation, Knowledge, Turn
from apps.core.ids import new_id
from tests.turns.turn_factory import complete_turn, make_running_turn


def make_citation(
    turn: Turn, *, number: int = 1, text: str = "A passage.", **fields: object
) -> Citation:
    """A passage that the turn's model was shown, by default of a source that is gone."""
    values = {"source_id": new_id(), "chunk_id": new_id(), "digest": "0" * 64, "score": 0.03}
    return Citation.objects.create(
        workspace_id=turn.workspace_id, turn=turn, number=number, text=text, **values | fields
    )


def make_unanswered_turn(chatbot: Chatbot, text: str, **fields: Any) -> Turn:
    """A completed turn in which nothing was found for this question."""
    turn = make_running_turn(chatbot, text=text)
    complete_turn(turn, "We may.")
    Turn.objects.filter(id=turn.id).update(**{"knowledge": Knowledge.NOTHING_FOUND} | fields)
    turn.refresh_from_db()
    return turn
