"""Keep the passages that a model is shown: one SQL statement for all turns that wait at once.

They are written before a follower is told of them and before the model is asked, so that an answer
never cites what is not stored. The turn's `knowledge` says whether they were told: heartbeats and
the settlement write it. Passages that were stored without the turn knowing it are never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Citation, Knowledge, Turn
from apps.conversations.sql import INSERT_CITATIONS
from apps.core.ids import new_id
from apps.infrastructure.concurrency.batching import Batcher
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.pool import execute
from apps.knowledge.search.results import Passage
from apps.turns.sql import MAX_CONCURRENT_STATEMENTS, Row, encode_rows

_MAX_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the search for a turn found, in the order in which the model is shown it.

    `milliseconds`: how long it took.
    """

    knowledge: Knowledge
    milliseconds: int
    passages: Sequence[Passage] = ()


async def save_passages(turn: Turn, retrieved: Retrieved) -> None:
    """Write the citations of a running turn, and how long its search took. It may be repeated.

    Raises TurnNotRunning if the turn has ended, which stays as it is.
    """
    if not await _batches.get().execute(build_row(turn, retrieved)):
        raise TurnNotRunning


def build_row(turn: Turn, retrieved: Retrieved) -> Row:
    """What a search found as a row of SAVE_PASSAGES."""
    return {
        "workspace_id": turn.workspace_id,
        "id": turn.id,
        "retrieval_ms": min(retrieved.milliseconds, _MAX_INTEGER),
        "passages": [
            {
                "id": new_id(),
                "number": number,
                "source_id": passage.source_id,
                "chunk_id": passage.chunk_ids[0],
                "digest": passage.digest,
                "title": passage_title(passage),
                "url": passage.url,
                "page": passage.page,
                "text": passage.text,
                "score": passage.score,
                "matched_by": list(passage.matched_by),
            }
            for number, passage in enumerate(retrieved.passages, 1)
        ],
    }


def passage_title(passage: Passage) -> str:
    """The title under which a passage is cited: its document's."""
    title: str = passage.title or " › ".join(passage.heading_path)
    return title[: Citation._meta.get_field("title").max_length]


SAVE_PASSAGES = f"""
WITH input AS MATERIALIZED (
  SELECT *, 'running' AS running FROM json_to_recordset(%s::json) AS input (
    n integer, workspace_id text, id text, retrieval_ms integer, passages json)
  WHERE n BETWEEN 0 AND 10000
), searched_turns AS (
  UPDATE conversations_turn AS turn
  SET retrieval_ms = input.retrieval_ms
  FROM input
  WHERE turn.id = input.id AND turn.workspace_id IS NOT DISTINCT FROM input.workspace_id
    AND turn.status = input.running
  RETURNING input.n, input.id, input.workspace_id, input.passages
), {INSERT_CITATIONS}
SELECT n FROM searched_turns
"""  # noqa: S608 - constants of ours
"""Returns (n) for each turn that was running."""


async def _execute_all(rows: Sequence[Row]) -> list[bool | None]:
    running = {n for (n,) in await execute(SAVE_PASSAGES, encode_rows(rows))}
    return [n in running for n in range(len(rows))]


_batches: PerLoop[Batcher[Row, bool]] = PerLoop(
    lambda: Batcher(_execute_all, concurrency=MAX_CONCURRENT_STATEMENTS)
)
