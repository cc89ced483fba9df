"""Heartbeats: save the text so far of running turns, many in one statement."""

from collections.abc import Mapping, Sequence

from django.db import connection

_SAVE_PROGRESS = """
UPDATE conversations_turn AS turn
SET heartbeat_at = statement_timestamp(),
    text_so_far = progress.text,
    delta_lengths = translate(progress.lengths, '[]', '{}')::integer[]
FROM unnest(%s::text[], %s::text[], %s::text[]) AS progress (id, text, lengths)
WHERE turn.id = progress.id AND turn.id IN (
  -- Skips turns that are being settled: waiting for their locks could deadlock.
  SELECT id FROM conversations_turn WHERE id = ANY(%s) AND status = 'running'
  FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING turn.id
"""


def save_progress(deltas: Mapping[str, Sequence[str]]) -> set[str]:
    """Save the heartbeat and the text so far of this process's turns.

    `deltas`: turn id → the pieces of text so far. Returns the ids of those that were updated.
    """
    if not deltas:
        return set()
    texts = ["".join(pieces) for pieces in deltas.values()]
    lengths = ["{" + ",".join(str(len(p)) for p in pieces) + "}" for pieces in deltas.values()]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_PROGRESS, [list(deltas), texts, lengths, list(deltas)])
        return {row[0] for row in cursor.fetchall()}
