"""Finding what one end-user said. They are known by `metadata.userId` of the caller's messages."""

from __future__ import annotations

from django.db import connection

_AT_ONCE = 10_000

# By the index over workspace and id, so that no index of metadata costs each turn something. It
# reads all messages of the workspace, some at a time: for a job, not for a page.
_PAGE = """
WITH page AS MATERIALIZED (
  SELECT id, conversation_id, metadata ->> 'userId' = %(user)s AS is_theirs
  FROM conversations_message
  WHERE workspace_id = %(workspace)s AND id > %(after)s
  ORDER BY id LIMIT %(most)s
)
SELECT max(id), coalesce(array_agg(DISTINCT conversation_id) FILTER (WHERE is_theirs), '{}')
FROM page
"""


def conversations_of_end_user(workspace_id: str, user_id: str) -> list[str]:
    """The ids of the conversations in which this end-user said something, in any order."""
    found: set[str] = set()
    after: str | None = ""
    with connection.cursor() as cursor:
        while after is not None:
            values = {"workspace": workspace_id, "user": user_id, "after": after}
            cursor.execute(_PAGE, {**values, "most": _AT_ONCE})
            after, theirs = cursor.fetchone()
            found.update(theirs)
    return sorted(found)
