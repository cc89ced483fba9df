"""What was said in a conversation, for the turn that goes on with it: one statement for all turns
that ask at the same moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Role
from apps.conversations.queries import ANSWERED
from apps.infrastructure.concurrency.batching import Batches
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.pool import execute

Said = tuple[str, str]
"""A message's role and text."""

_Row = dict[str, Any]
_GONE = "gone"

# Written as `statements` is, and for its reasons: every part is a look-up, whatever PostgreSQL
# believes of its tables.
RECALL = f"""
WITH asked AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%s::json) AS asked (
    n integer, workspace_id text, chatbot_id text, conversation_id text, most integer)
  WHERE n BETWEEN 0 AND 10000
)
SELECT n, (
  SELECT coalesce((
    SELECT json_agg(json_build_array(role, text) ORDER BY created_at, id) FROM (
      SELECT role, text, created_at, id FROM conversations_message AS message
      WHERE message.conversation_id = asked.conversation_id
        AND message.workspace_id IS NOT DISTINCT FROM asked.workspace_id
        AND (SELECT status FROM conversations_turn AS turn WHERE turn.id = message.turn_id)
          IN ({", ".join(f"'{status}'" for status in ANSWERED)})
        AND (SELECT true FROM conversations_message AS answer
             WHERE answer.turn_id = message.turn_id AND answer.role = '{Role.ASSISTANT}' LIMIT 1)
      ORDER BY created_at DESC, id DESC LIMIT asked.most
    ) AS newest), '[]')
  FROM conversations_conversation AS conversation
  WHERE conversation.id = asked.conversation_id
    AND conversation.workspace_id IS NOT DISTINCT FROM asked.workspace_id
    AND conversation.chatbot_id IS NOT DISTINCT FROM asked.chatbot_id
    AND conversation.deleted_at IS NULL)
FROM asked
"""  # noqa: S608 - constants of ours
"""Answers (n, the newest messages of answered turns, oldest first) for each conversation; null for
one that is not the workspace's with this chatbot, or is deleted."""


async def recall_together(
    workspace_id: str, conversation_id: str, *, chatbot_id: str, limit: int
) -> Sequence[Said]:
    """The newest `limit` messages of the conversation's answered turns, oldest first, beginning
    with a user's. Raises ConversationNotFound."""
    row = {
        "workspace_id": workspace_id,
        "chatbot_id": chatbot_id,
        "conversation_id": conversation_id,
        "most": limit,
    }
    said = await _waiting.get().ask(row)
    if isinstance(said, str):
        raise ConversationNotFound
    first = next((at for at, (role, _) in enumerate(said) if role == Role.USER), len(said))
    return said[first:]


async def _recall_all(rows: Sequence[_Row]) -> list[Sequence[Said] | str]:
    numbered = json.dumps([{"n": number, **row} for number, row in enumerate(rows)])
    answers = sorted(await execute(RECALL, numbered), key=lambda answer: answer[0])
    return [_GONE if said is None else [tuple(one) for one in said] for _, said in answers]


_waiting: PerLoop[Batches[_Row, Sequence[Said] | str]] = PerLoop(
    lambda: Batches(_recall_all, lanes=2)
)
