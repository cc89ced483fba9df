"""SQL fragments that write conversations and messages for many turns at once.

Each constant is one data-modifying common table expression, name included, to be composed into
the statements of `apps.turns.sql`. They read these CTEs of the statement around them:

    input            one row per turn, as passed by the caller
    opened_turns     the turns that this statement inserted (`id`)
    settled_turns    the turns that this statement settled (`id`)
    searched_turns   the turns of which this statement writes what a search found

Timestamps use clock_timestamp(), not now(): the statement may have waited for row locks, and
messages must sort in the order in which they were written. This module does not import Django, so
that `bench/floor` can run the same SQL.
"""

BEGIN_CONVERSATIONS = """\
begun_conversations AS (
  INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, source)
  SELECT input.conversation_id, input.workspace_id, input.chatbot_id, input.source
  FROM input JOIN opened_turns USING (id) WHERE begins
)"""
"""Insert a conversation for every opened turn that begins one.

Reads from input: id, conversation_id, workspace_id, chatbot_id, source, begins."""

TOUCH_CONVERSATIONS = """\
touched_conversations AS (
  UPDATE conversations_conversation AS conversation SET last_message_at = clock_timestamp()
  FROM input JOIN opened_turns USING (id)
  WHERE conversation.id = input.conversation_id
    AND conversation.workspace_id = input.workspace_id AND NOT begins
)"""
"""Update `last_message_at` for every opened turn that continues a conversation.

Reads from input: id, conversation_id, workspace_id, begins."""

INSERT_USER_MESSAGES = """\
inserted_user_messages AS (
  INSERT INTO conversations_message (
    id, workspace_id, conversation_id, turn_id, role, text, metadata, created_at)
  SELECT
    user_message_id, input.workspace_id, conversation_id, input.id, 'user', text, metadata,
    clock_timestamp()
  FROM input JOIN opened_turns USING (id)
)"""
"""Insert the user's message of every opened turn.

Reads from input: id, user_message_id, workspace_id, conversation_id, text, metadata."""

INSERT_ANSWERS = """\
inserted_answers AS (
  INSERT INTO conversations_message (
    id, workspace_id, conversation_id, turn_id, role, text, created_at)
  SELECT
    input.message_id, input.workspace_id, input.conversation_id, input.id, 'assistant',
    input.text, clock_timestamp()
  FROM input JOIN settled_turns USING (id) WHERE input.text <> ''
)"""
"""Insert the assistant's message of every settled turn that has text.

Reads from input: id, message_id, workspace_id, conversation_id, text."""

INSERT_CITATIONS = """\
inserted_citations AS (
  INSERT INTO conversations_citation (
    id, workspace_id, turn_id, number, source_id, chunk_id, digest, title, url, page, text, score,
    matched_by)
  SELECT passage.id, searched.workspace_id, searched.id, passage.number, passage.source_id,
    passage.chunk_id, passage.digest, passage.title, passage.url, passage.page, passage.text,
    passage.score, passage.matched_by
  FROM searched_turns AS searched CROSS JOIN json_to_recordset(searched.passages) AS passage (
    id text, number smallint, source_id text, chunk_id text, digest text, title text, url text,
    page integer, text text, score float8, matched_by text[])
  ON CONFLICT DO NOTHING
)"""
"""Insert the passages of every turn that was searched for, once.

Reads searched_turns: id, workspace_id, passages (a JSON array)."""
