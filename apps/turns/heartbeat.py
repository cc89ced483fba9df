"""Heartbeats: save the progress of running turns, many in one statement."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from django.db import connection

from apps.conversations.models import Turn, TurnStatus
from apps.core.text import replace_unstorable

_SAVE_PROGRESS = """
UPDATE conversations_turn AS turn
SET heartbeat_at = statement_timestamp(),
    text_so_far = progress.text,
    delta_lengths = translate(progress.lengths, '[]', '{}')::integer[],
    knowledge = progress.knowledge,
    input_tokens = least(progress.input_tokens, 2147483647)::integer,
    output_tokens = least(progress.output_tokens, 2147483647)::integer
FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::text[])
  AS progress (id, text, lengths, input_tokens, output_tokens, knowledge)
WHERE turn.id = progress.id AND turn.id IN (
  -- Skips turns that are being settled: waiting for their locks could deadlock.
  SELECT id FROM conversations_turn WHERE id = ANY(%s) AND status = 'running'
  FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING turn.id
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """A running turn's answer so far, in the pieces in which it was sent, and its usage so far.

    Both are kept if its process dies: the text becomes the answer, the usage its price.
    `knowledge`: as in `Settlement`.
    """

    deltas: Sequence[str]
    input_tokens: int = 0
    output_tokens: int = 0
    knowledge: str = ""

    def cleaned(self) -> "Progress":
        """The same without characters that PostgreSQL cannot store."""
        return replace(self, deltas=[replace_unstorable(delta) for delta in self.deltas])


def save_progress(progress: Mapping[str, Progress]) -> set[str]:
    """Save the heartbeat and the progress of this process's turns, by id.

    Returns the ids of those that were updated: not those that have settled or are being settled.
    """
    if not progress:
        return set()
    ids, turns = list(progress), progress.values()
    texts = ["".join(turn.deltas) for turn in turns]
    lengths = ["{" + ",".join(str(len(d)) for d in turn.deltas) + "}" for turn in turns]
    usage = [turn.input_tokens for turn in turns], [turn.output_tokens for turn in turns]
    with connection.cursor() as cursor:
        knowledge = [turn.knowledge for turn in turns]
        cursor.execute(_SAVE_PROGRESS, [ids, texts, lengths, *usage, knowledge, ids])
        return {row[0] for row in cursor.fetchall()}


def find_ended(turn_ids: Set[str]) -> set[str]:
    """Those of this process's turns that have settled, or are gone."""
    running = Turn.objects.filter(id__in=turn_ids, status=TurnStatus.RUNNING)
    return set(turn_ids) - set(running.values_list("id", flat=True))
