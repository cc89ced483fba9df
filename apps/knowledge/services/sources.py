"""Changes to the sources of a knowledge base."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from apps.audit.services import Actor, record_change
from apps.core.ids import new_id
from apps.core.text import legible_file_name
from apps.infrastructure.postgres.binary_values import execute_with_binary
from apps.infrastructure.postgres.rows import first_or_raise
from apps.infrastructure.task_queue import send_task_on_commit
from apps.knowledge.errors import SourceNotFound
from apps.knowledge.models import (
    KnowledgeBase,
    RefreshInterval,
    Source,
    SourceStatus,
    SourceType,
)
from apps.knowledge.models.sources import INDEXING_STATUSES, REFRESH_INTERVALS, WEB_TYPES
from apps.knowledge.services.bases import lock_knowledge_base
from apps.knowledge.services.generations import discard_unfinished
from apps.knowledge.usage import knowledge_limits, stored_file_bytes
from apps.workspaces.errors import LimitReached
from apps.workspaces.services import lock_workspace

INDEX_SOURCES = "apps.knowledge.tasks.index_sources"
MAX_TEXT_LENGTH = 1_000_000
"""Characters of a text, or of an answer."""
MAX_QUESTIONS = 50
MAX_QUESTION_LENGTH = 1000
MAX_FILE_BYTES = 20 * 2**20

_TOO_MANY_SOURCES = "{} has at most {:,} {}. Delete one first."
_TOO_MANY_BYTES = "{} keeps at most {:,} MiB of files. Delete a source first."


_INSERT_FILE = """
INSERT INTO knowledge_sourcefile (source_id, workspace_id, name, content_type, size, body)
VALUES (%(source)s, %(workspace)s, %(name)s, %(content_type)s, %(size)s, %(body)b)
"""


def add_text(*, base: KnowledgeBase, title: str, text: str, actor: Actor) -> Source:
    """Add a pasted text. Raises as `_add`."""
    _require_length("text", text, MAX_TEXT_LENGTH)
    return _add(base, actor, type=SourceType.TEXT, title=title, text=text)


def add_question_and_answer(
    *, base: KnowledgeBase, questions: Sequence[str], answer: str, actor: Actor
) -> Source:
    """Add an answer to one or more questions. Raises as `_add`."""
    _require_questions(questions)
    _require_length("answer", answer, MAX_TEXT_LENGTH)
    return _add(
        base,
        actor,
        type=SourceType.QNA,
        title=_qna_title(questions),
        text=answer,
        questions=list(questions),
    )


def add_web_source(
    *,
    base: KnowledgeBase,
    source_type: SourceType,
    url: str,
    title: str = "",
    rules: dict[str, Any] | None = None,
    refresh_every: str = "never",
    actor: Actor,
) -> Source:
    """Add a web page, a sitemap or a website. `url` is a valid address. Raises as `_add`."""
    return _add(
        base,
        actor,
        type=source_type,
        title=title or url[:300],
        url=url,
        rules=rules or {},
        refresh_every=refresh_every,
    )


@transaction.atomic
def add_file(
    *, base: KnowledgeBase, name: str, content_type: str, body: bytes, title: str = "", actor: Actor
) -> Source:
    """Add an uploaded file. What type it has is decided by its content, when it is read.

    `title`: by default the name of the file. Raises as `_add`, and LimitReached if the workspace's
    files have as many bytes as its plan or MAX_KNOWLEDGE_BYTES allow.
    """
    if not body:
        raise ValidationError({"file": "The file is empty."})
    if len(body) > MAX_FILE_BYTES:
        mebibytes = MAX_FILE_BYTES // 2**20
        raise ValidationError({"file": f"The file is larger than {mebibytes} MiB."})
    name = legible_file_name(name[-300:], default="File")
    lock_workspace(workspace_id=base.workspace_id)
    limit = knowledge_limits(base.workspace_id).file_bytes
    if stored_file_bytes(base.workspace_id) + len(body) > limit.value:
        raise LimitReached(_TOO_MANY_BYTES.format(limit.holder, limit.value // 2**20))
    source = _add(base, actor, type=SourceType.FILE, title=title or name)
    execute_with_binary(
        _INSERT_FILE,
        {
            "source": source.id,
            "workspace": base.workspace_id,
            "name": name,
            "content_type": legible_file_name(content_type[:200], default=""),
            "size": len(body),
            "body": body,
        },
    )
    return source


@transaction.atomic
def _add(base: KnowledgeBase, actor: Actor, **fields: Any) -> Source:
    """Create a source, which a worker indexes.

    Raises ValidationError; LimitReached if the workspace has as many as its plan or MAX_SOURCES
    allow;
    KnowledgeBaseNotFound if the base was deleted meanwhile; NotFound if the workspace is closed.
    """
    lock_workspace(workspace_id=base.workspace_id)
    base = lock_knowledge_base(base)
    sources = Source.objects.filter(workspace_id=base.workspace_id, deleted_at=None)
    limit = knowledge_limits(base.workspace_id).sources
    if sources.count() >= limit.value:
        noun = "source" if limit.value == 1 else "sources"
        raise LimitReached(_TOO_MANY_SOURCES.format(limit.holder, limit.value, noun))
    source = Source(workspace_id=base.workspace_id, knowledge_base=base, **fields)
    source.full_clean()
    source.save(force_insert=True)
    source.refresh_from_db()
    record_change(source, actor=actor, action="source.added", type=source.type)
    send_task_on_commit(INDEX_SOURCES)
    return source


@transaction.atomic
def update_source(*, source: Source, actor: Actor, changes: dict[str, Any]) -> Source:
    """Change `title`, `text`, `questions`, `url`, `rules` or `refresh_every`, and index it again if
    what is read has changed.

    Raises ValidationError, or SourceNotFound if it was deleted meanwhile.
    """
    source = lock_source(source)
    if "questions" in changes and source.title == _qna_title(source.questions):
        changes = {"title": _qna_title(changes["questions"]), **changes}
    changed = [name for name, value in changes.items() if value != getattr(source, name)]
    if not changed:
        return source
    for name in changed:
        setattr(source, name, changes[name])
    if source.type == SourceType.QNA:
        _require_questions(source.questions)
    if source.type in (SourceType.QNA, SourceType.TEXT):
        _require_length("text", source.text, MAX_TEXT_LENGTH)
    source.full_clean()
    source.save(update_fields=changed)
    # The pages of a site have titles of their own: a site is not fetched again for another title.
    ignored = {"refresh_every", "title"} if source.type in WEB_TYPES else {"refresh_every"}
    if set(changed) - ignored:
        _index_again(source)
    elif "refresh_every" in changed and source.status not in INDEXING_STATUSES:
        interval = REFRESH_INTERVALS.get(RefreshInterval(source.refresh_every))
        due_at = None if interval is None else Coalesce(F("refreshed_at"), Now()) + interval
        Source.objects.filter(workspace_id=source.workspace_id, id=source.id).update(due_at=due_at)
    record_change(source, actor=actor, action="source.updated", changed=changed)
    return source


def _qna_title(questions: Sequence[str]) -> str:
    return legible_file_name(questions[0][:300], default="Question") if questions else ""


@transaction.atomic
def reindex_source(*, source: Source, actor: Actor) -> Source:
    """Fetch and index a source again. What is live is found until the new generation is ready.

    Raises SourceNotFound if it was deleted meanwhile.
    """
    source = lock_source(source)
    _index_again(source)
    record_change(source, actor=actor, action="source.reindexed")
    return source


@transaction.atomic
def reindex_knowledge_base(*, base: KnowledgeBase, actor: Actor) -> int:
    """Fetch and index all sources of a knowledge base again. Return how many."""
    base = lock_knowledge_base(base)
    sources = Source.objects.filter(
        workspace_id=base.workspace_id, knowledge_base=base, deleted_at=None
    )
    count = sources.update(**_again())
    record_change(base, actor=actor, action="knowledge_base.reindexed", sources=count)
    discard_unfinished(base.workspace_id, sources)
    send_task_on_commit(INDEX_SOURCES)
    return count


@transaction.atomic
def cancel_indexing(*, source: Source, actor: Actor) -> Source:
    """End the indexing of a source. What is live stays so. Nothing happens if it is not indexed.

    Raises SourceNotFound if it was deleted meanwhile.
    """
    source = lock_source(source)
    if source.status not in INDEXING_STATUSES:
        return source
    is_live = source.live_generation_id is not None
    source.status = SourceStatus.READY if is_live else SourceStatus.FAILED
    source.status_reason = "Indexing was canceled."
    source.claim = ""
    source.claimed_until = None
    source.due_at = None
    source.save(update_fields=["status", "status_reason", "claim", "claimed_until", "due_at"])
    record_change(source, actor=actor, action="source.canceled")
    _discard_unfinished(source)
    return source


@transaction.atomic
def delete_source(*, source: Source, actor: Actor) -> None:
    """Delete a source. It is found no more at once, and its rows are erased soon."""
    source = lock_source(source)
    source.deleted_at = Now()
    source.live_generation_id = None
    source.due_at = None
    source.claim = ""
    source.save(update_fields=["deleted_at", "live_generation_id", "due_at", "claim"])
    record_change(source, actor=actor, action="source.deleted")
    _discard_unfinished(source)


def lock_source(source: Source) -> Source:
    """Raises SourceNotFound if it was deleted meanwhile."""
    sources = Source.objects.filter(workspace_id=source.workspace_id, id=source.id, deleted_at=None)
    return first_or_raise(sources.select_for_update(no_key=True), SourceNotFound)


def _discard_unfinished(source: Source) -> None:
    sources = Source.objects.filter(workspace_id=source.workspace_id, id=source.id)
    discard_unfinished(source.workspace_id, sources)


def _index_again(source: Source) -> None:
    sources = Source.objects.filter(workspace_id=source.workspace_id, id=source.id)
    sources.update(**_again())
    source.refresh_from_db()
    send_task_on_commit(INDEX_SOURCES)
    _discard_unfinished(source)


def _again() -> dict[str, Any]:
    """The columns of a source that is to be indexed again. A worker that has it loses its claim."""
    return {
        "status": SourceStatus.PENDING,
        "status_reason": "",
        "progress_done": 0,
        "progress_total": None,
        "attempts": 0,
        "claim": new_id(),
        "claimed_until": None,
        "due_at": Now(),
    }


def _require_questions(questions: Sequence[str]) -> None:
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        raise ValidationError({"questions": f"Give 1 to {MAX_QUESTIONS} questions."})
    for question in questions:
        _require_length("questions", question, MAX_QUESTION_LENGTH)


def _require_length(field: str, text: str, limit: int) -> None:
    if not text.strip():
        raise ValidationError({field: "Give a text."})
    if len(text) > limit:
        raise ValidationError({field: f"Give at most {limit:,} characters."})
