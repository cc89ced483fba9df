"""Full-text search over messages and conversation titles.

Search documents (`Passage`) hold the tsvector of a message or a title. `index_new_messages` writes
them every few seconds, so that turns do not wait for it.

`core.search_words` says what a word is.

Indexing locks conversations FOR KEY SHARE, and erasing one locks it FOR UPDATE first, so that no
search document outlives its conversation. Neither blocks turns.
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import BooleanField, Exists, F, Func, Min, OuterRef, QuerySet, Value
from django.utils import timezone

from apps.conversations.models import (
    Conversation,
    Message,
    Passage,
    SearchProgress,
    Turn,
    TurnStatus,
)
from apps.core.ids import min_id_at
from apps.core.search_words import build_tsquery, extract_words
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE

log = get_logger(__name__)

_BATCH_SIZE = 500
_WINDOW_SIZE = 50_000
# Of so many messages a batch is chosen: only their ids are read.
_MAX_SECONDS = 4.0
# Below the interval of the schedule, so that runs do not pile up.
_MAX_COMMIT_DELAY = timedelta(minutes=2)
"""The longest time between creating an id and committing its row, clock differences included."""

_Key = tuple[str, str, str]
"""The ids of a message, its conversation and its workspace."""


def find_search_documents(workspace_id: str, text: str) -> QuerySet[Passage]:
    """Return the workspace's search documents that contain every word of a search text."""
    query = build_tsquery(text)
    documents = Passage.objects.filter(workspace_id=workspace_id)
    if query is None:
        return documents.none()
    return documents.filter(
        Func(
            F("words"),
            Value(query),
            template="(%(expressions)s::tsquery)",
            arg_joiner=" @@ ",
            output_field=BooleanField(),
        )
    )


def index_new_messages(*, max_seconds: float = _MAX_SECONDS) -> int:
    """Index messages without a search document. Return how many. Safe to run concurrently.

    Workspaces take turns: a batch has the oldest message of each, then the second of each, and so
    on, so that one workspace's many or long messages do not delay the others'.
    """
    deadline = time.monotonic() + max_seconds
    indexed = 0
    while True:
        count = _index_batch()
        indexed += count
        if count < _BATCH_SIZE or time.monotonic() >= deadline:
            return indexed


@transaction.atomic
def _index_batch() -> int:
    SearchProgress.objects.get_or_create(id=1, defaults={"read_to": ""})
    progress = SearchProgress.objects.select_for_update(skip_locked=True).first()
    if progress is None:
        return 0  # another worker is indexing
    committed_before = _committed_before()
    unindexed = Message.objects.filter(
        ~Exists(Passage.objects.filter(id=OuterRef("pk"))), id__gt=progress.read_to
    )
    columns = ("id", "conversation_id", "workspace_id")
    found = list(unindexed.order_by("id").values_list(*columns)[:_WINDOW_SIZE])
    batch, rest = take_in_turn(found, _BATCH_SIZE)
    _index_messages(batch)
    # Messages up to `read_to` are not looked at again, so it must pass neither a message that is
    # left nor one that is not committed yet.
    read_to = committed_before
    if rest:
        oldest_left = min(id for id, _, _ in rest)
        read_to = min(read_to, max((id for id, _, _ in found if id < oldest_left), default=""))
    elif len(found) == _WINDOW_SIZE:
        read_to = min(read_to, found[-1][0])
    if read_to > progress.read_to:
        SearchProgress.objects.filter(id=1).update(read_to=read_to)
    return len(batch)


def take_in_turn(found: Sequence[_Key], size: int) -> tuple[list[_Key], list[_Key]]:
    """Divide messages into a batch, with the next of each workspace in turn, and the rest."""
    places: Counter[str] = Counter()
    placed = []
    for key in found:
        placed.append((places[key[2]], key))
        places[key[2]] += 1
    placed.sort()
    keys = [key for _, key in placed]
    return keys[:size], keys[size:]


def _committed_before() -> str:
    """Return an id below which every message is committed.

    A turn creates the ids of both its messages when it opens, and inserts the answer as it settles.
    """
    running = Turn.objects.filter(status=TurnStatus.RUNNING)
    oldest = running.aggregate(oldest=Min("created_at"))["oldest"]
    now = timezone.now()
    return min_id_at(min(oldest or now, now) - _MAX_COMMIT_DELAY)


# Conversations are locked before messages are read, so that erased messages are not indexed.
_LOCK_CONVERSATIONS = """
SELECT id FROM conversations_conversation
WHERE id = ANY(%s) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE
"""
_UPSERT_DOCUMENTS = """
INSERT INTO conversations_passage (id, workspace_id, conversation_id, words)
SELECT id, workspace_id, conversation_id, array_to_tsvector(words)
FROM json_to_recordset(%s::json) AS document (
  id text, workspace_id text, conversation_id text, words text[])
ON CONFLICT (id) DO UPDATE SET words = excluded.words
"""


def _index_messages(keys: Sequence[_Key]) -> None:
    """Write the search documents of messages.

    If they cannot be written together, each is by itself: one that PostgreSQL refuses is logged and
    passed over.
    """
    try:
        with transaction.atomic():
            _write_documents(keys)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:
        if len(keys) == 1:
            log.exception("message_not_indexed", message_id=keys[0][0])
            return
        for key in keys:
            _index_messages([key])


def _write_documents(keys: Sequence[_Key]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _LOCK_CONVERSATIONS, [list({conversation_id for _, conversation_id, _ in keys})]
        )
        locked_ids = [id for (id,) in cursor.fetchall()]
        messages = Message.objects.filter(
            id__in=[id for id, _, _ in keys], conversation_id__in=locked_ids
        )
        rows = [
            {
                "id": message.id,
                "workspace_id": message.workspace_id,
                "conversation_id": message.conversation_id,
                "words": sorted(extract_words(message.text)),
            }
            for message in messages
        ]
        if rows:
            cursor.execute(_UPSERT_DOCUMENTS, [json.dumps(rows)])


def index_title(*, conversation: Conversation) -> None:
    """Replace the search document of a conversation's title. The caller locks the conversation."""
    Passage.objects.filter(workspace_id=conversation.workspace_id, id=conversation.id).delete()
    words = sorted(extract_words(conversation.title))
    if words:
        row = {
            "id": conversation.id,
            "workspace_id": conversation.workspace_id,
            "conversation_id": conversation.id,
            "words": words,
        }
        with connection.cursor() as cursor:
            cursor.execute(_UPSERT_DOCUMENTS, [json.dumps([row])])


def delete_search_documents(*, workspace_id: str, conversation_ids: Collection[str]) -> None:
    """Delete the search documents of conversations, after waiting for concurrent indexing.

    Call it in a transaction, after their messages have been deleted.
    """
    conversations = Conversation.objects.filter(workspace_id=workspace_id, id__in=conversation_ids)
    list(conversations.select_for_update().order_by("id").values_list("id"))
    documents = Passage.objects.filter(workspace_id=workspace_id)
    documents.filter(conversation_id__in=conversation_ids).delete()


def reindex_after(*, message_id: str) -> None:
    """Look again for messages with larger ids, for rows inserted long after their ids' time."""
    SearchProgress.objects.filter(read_to__gt=message_id).update(read_to=message_id)
