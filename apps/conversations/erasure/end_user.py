"""Find the conversations of one end user, identified by `metadata.userId` of their messages."""

from django.db import connection

_BATCH_SIZE = 10_000

# Reads all messages of the workspace in batches, by the index over workspace and id: an index of
# the metadata would cost every turn. For background jobs, not for pages.
_BATCH = """
WITH batch AS MATERIALIZED (
  SELECT id, conversation_id, metadata ->> 'userId' = %(user)s AS matches
  FROM conversations_message
  WHERE workspace_id = %(workspace)s AND id > %(after)s
  ORDER BY id LIMIT %(limit)s
)
SELECT max(id), coalesce(array_agg(DISTINCT conversation_id) FILTER (WHERE matches), '{}')
FROM batch
"""


def find_end_user_conversations(workspace_id: str, user_id: str) -> list[str]:
    """Return the ids of the conversations in which this end user wrote a message, sorted."""
    found: set[str] = set()
    after: str | None = ""
    with connection.cursor() as cursor:
        while after is not None:
            values = {"workspace": workspace_id, "user": user_id, "after": after}
            cursor.execute(_BATCH, {**values, "limit": _BATCH_SIZE})
            after, conversation_ids = cursor.fetchone()
            found.update(conversation_ids)
    return sorted(found)
