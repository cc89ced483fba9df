"""Load conversation histories: one SQL statement for all turns that ask at the same moment."""

from collections.abc import Sequence

from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Role
from apps.conversations.queries import HISTORY_STATUSES
from apps.infrastructure.concurrency.batching import Batcher
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.pool import execute
from apps.turns.sql import MAX_CONCURRENT_STATEMENTS, Row, encode_rows

HistoryMessage = tuple[str, str]
"""A message's role and text."""

_NOT_FOUND = "not found"
_Result = Sequence[HistoryMessage] | str

# Written like the statements of `sql`, for the same reasons: every step is an index look-up.
LOAD_HISTORY = f"""
WITH input AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%s::json) AS input (
    n integer, workspace_id text, chatbot_id text, conversation_id text, max_messages integer)
  WHERE n BETWEEN 0 AND 10000
)
SELECT n, (
  SELECT coalesce((
    SELECT json_agg(json_build_array(role, text) ORDER BY created_at, id) FROM (
      SELECT role, text, created_at, id FROM conversations_message AS message
      WHERE message.conversation_id = input.conversation_id
        AND message.workspace_id IS NOT DISTINCT FROM input.workspace_id
        AND (SELECT status FROM conversations_turn AS turn WHERE turn.id = message.turn_id)
          IN ({", ".join(f"'{status}'" for status in HISTORY_STATUSES)})
        AND (SELECT true FROM conversations_message AS answer
             WHERE answer.turn_id = message.turn_id AND answer.role = '{Role.ASSISTANT}' LIMIT 1)
      ORDER BY created_at DESC, id DESC LIMIT input.max_messages
    ) AS newest), '[]')
  FROM conversations_conversation AS conversation
  WHERE conversation.id = input.conversation_id
    AND conversation.workspace_id IS NOT DISTINCT FROM input.workspace_id
    AND conversation.chatbot_id IS NOT DISTINCT FROM input.chatbot_id
    AND conversation.deleted_at IS NULL)
FROM input
"""  # noqa: S608 - constants of ours
"""Returns (n, the newest messages of answered turns, oldest first) for each conversation; null if
it is deleted, or not the workspace's with this chatbot."""


async def load_history(
    workspace_id: str, conversation_id: str, *, chatbot_id: str, limit: int
) -> Sequence[HistoryMessage]:
    """The newest `limit` messages of the conversation's answered turns, oldest first, starting
    with a user's. Raises ConversationNotFound."""
    messages = await _batches.get().execute(
        {
            "workspace_id": workspace_id,
            "chatbot_id": chatbot_id,
            "conversation_id": conversation_id,
            "max_messages": limit,
        }
    )
    if isinstance(messages, str):
        raise ConversationNotFound
    roles = [role for role, _ in messages]
    return messages[roles.index(Role.USER) :] if Role.USER in roles else []


async def _execute_all(rows: Sequence[Row]) -> list[_Result | None]:
    results = sorted(await execute(LOAD_HISTORY, encode_rows(rows)), key=lambda result: result[0])
    return [_NOT_FOUND if found is None else [tuple(one) for one in found] for _, found in results]


_batches: PerLoop[Batcher[Row, _Result]] = PerLoop(
    lambda: Batcher(_execute_all, concurrency=MAX_CONCURRENT_STATEMENTS)
)
