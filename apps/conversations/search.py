"""Finding conversations by words in their messages and titles.

    words_of         a text as the words by which it is found
    query_of         what somebody types, as a condition on words
    read_messages    new messages into passages; Celery beat asks for it every few seconds
    read_title       a conversation's title into its passage

A word is a run of letters and digits, without its case and accents. Where letters are written
without spaces between words, each of them begins one. No language is assumed: nothing is stemmed,
but three letters and more find every word that begins with them.

Whoever writes passages holds the conversations FOR KEY SHARE, and whoever erases one takes it FOR
UPDATE first, so that no word outlives its conversation. Turns wait for neither.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable
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
from apps.core.ids import first_id_at

MAX_WORD_LENGTH = 64
MAX_WORDS = 20_000
"""Different words of one message that are kept: more would not fit PostgreSQL's type."""
MIN_PREFIX_LENGTH = 3
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_UNSPACED_LENGTH = 8

_AT_ONCE = 500
_BATCHES = 20
_LATEST = timedelta(minutes=2)
"""How long after its id was made a row may be committed, other machines' clocks included."""


def extract_words(text: str) -> set[str]:
    """The words of a text."""
    plain = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    words: set[str] = set()
    for word in re.findall(r"[^\W_]+", bare):
        if _UNSPACED.search(word):
            words.update(word[at : at + _UNSPACED_LENGTH] for at in range(len(word)))
        else:
            words.add(word[:MAX_WORD_LENGTH])
        if len(words) >= MAX_WORDS:
            break
    return words


def build_tsquery(text: str) -> str | None:
    """A condition that wants every word that was typed, as text of the type tsquery; None where
    there is no word."""
    plain = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    wanted = []
    for word in dict.fromkeys(re.findall(r"[^\W_]+", bare)):
        unspaced = _UNSPACED.search(word) is not None
        cut = word[: _UNSPACED_LENGTH if unspaced else MAX_WORD_LENGTH]
        begins = unspaced or len(word) >= MIN_PREFIX_LENGTH
        wanted.append(f"'{cut}':*" if begins else f"'{cut}'")
    return " & ".join(wanted) or None


def find_search_documents(workspace_id: str, text: str) -> QuerySet[Passage]:
    """The workspace's passages that have every word."""
    query = build_tsquery(text)
    passages = Passage.objects.filter(workspace_id=workspace_id)
    if query is None:
        return passages.none()
    return passages.filter(
        Func(
            F("words"),
            Value(query),
            template="(%(expressions)s::tsquery)",
            arg_joiner=" @@ ",
            output_field=BooleanField(),
        )
    )


def index_new_messages() -> int:
    """Read the messages that nobody has read yet; how many were. Safe to run twice at once."""
    read = 0
    for _ in range(_BATCHES):
        count = _read_some()
        read += count
        if count < _AT_ONCE:
            break
    return read


@transaction.atomic
def _read_some() -> int:
    SearchProgress.objects.get_or_create(id=1, defaults={"read_to": ""})
    progress = SearchProgress.objects.select_for_update(skip_locked=True).first()
    if progress is None:
        return 0  # another reads at this moment
    settled_before = _settled_before()
    unread = Message.objects.filter(
        ~Exists(Passage.objects.filter(id=OuterRef("pk"))), id__gt=progress.read_to
    )
    places = list(unread.order_by("id").values_list("id", "conversation_id")[:_AT_ONCE])
    _write(places)
    # Behind this id every message is committed; what is not yet, has a later one.
    everything = len(places) < _AT_ONCE
    read_to = settled_before if everything else min(places[-1][0], settled_before)
    if read_to > progress.read_to:
        SearchProgress.objects.filter(id=1).update(read_to=read_to)
    return len(places)


def _settled_before() -> str:
    """No message with a smaller id will be written any more.

    A turn makes the ids of both its messages when it opens, and writes the second as it settles.
    """
    running = Turn.objects.filter(status=TurnStatus.RUNNING)
    oldest = running.aggregate(oldest=Min("created_at"))["oldest"]
    now = timezone.now()
    return first_id_at(min(oldest or now, now) - _LATEST)


# No text is read before its conversation is held: what is erased meanwhile is read as it is then.
_HOLD = """
SELECT id FROM conversations_conversation
WHERE id = ANY(%s) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE
"""
_WRITE = """
INSERT INTO conversations_passage (id, workspace_id, conversation_id, words)
SELECT id, workspace_id, conversation_id, array_to_tsvector(words)
FROM json_to_recordset(%s::json) AS passage (
  id text, workspace_id text, conversation_id text, words text[])
ON CONFLICT (id) DO UPDATE SET words = excluded.words
"""


def _write(places: Iterable[tuple[str, str]]) -> None:
    """The passages of these messages, given with their conversations."""
    places = list(places)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list({conversation_id for _, conversation_id in places})])
        alive = [id for (id,) in cursor.fetchall()]
        messages = Message.objects.filter(
            id__in=[id for id, _ in places], conversation_id__in=alive
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
            cursor.execute(_WRITE, [json.dumps(rows)])


def index_title(*, conversation: Conversation) -> None:
    """Have a conversation found by the title that it has now. Call it where the title changes,
    with the conversation locked."""
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
            cursor.execute(_WRITE, [json.dumps([row])])


def delete_search_documents(*, workspace_id: str, conversation_ids: Collection[str]) -> None:
    """Erase what search knows of these conversations. Call it in a transaction, once their
    messages are gone: it waits for whoever is reading them."""
    places = Conversation.objects.filter(workspace_id=workspace_id, id__in=conversation_ids)
    list(places.select_for_update().order_by("id").values_list("id"))
    passages = Passage.objects.filter(workspace_id=workspace_id)
    passages.filter(conversation_id__in=conversation_ids).delete()


def reindex_after(*, message_id: str) -> None:
    """Have the messages whose ids are above this one read, though some may have been passed: for
    rows that are written later than their ids say."""
    SearchProgress.objects.filter(read_to__gt=message_id).update(read_to=message_id)
