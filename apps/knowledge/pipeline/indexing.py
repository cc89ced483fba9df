"""The steps of indexing one source."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from apps.chatbots.models import EmbeddingModel
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.knowledge.errors import IndexingDelayed, IndexingFailed, IndexingPaused
from apps.knowledge.fetching.types import FetchOptions, fetch_options
from apps.knowledge.models import (
    Chunk,
    Generation,
    KnowledgeBase,
    RefreshInterval,
    Source,
    SourceStatus,
)
from apps.knowledge.models.sources import REFRESH_INTERVALS
from apps.knowledge.pipeline.claiming import (
    ClaimLost,
    claim_renewed,
    claim_source,
    lock_claimed,
    update_claimed,
)
from apps.knowledge.pipeline.reading import read_documents
from apps.knowledge.pipeline.swapping import embedding_model_ids, make_live
from apps.knowledge.pipeline.vectors import copy_live_vectors, embed_next
from apps.knowledge.services.generations import discard_unfinished
from apps.knowledge.services.source_events import emit_source_event
from apps.llm.errors import ProviderError
from apps.webhooks.models import EventType

log = get_logger(__name__)

MAX_ATTEMPTS = 5
"""Attempts without progress after which the indexing of a source fails."""
_RETRY_SECONDS = (5.0, 15.0, 60.0, 300.0)

_CRASHED = "Reading this source ended in an error on our side, several times."


OptionsOf = Callable[[Source], FetchOptions]


def options_of(source: Source) -> FetchOptions:
    """How the pages of a source are fetched: its workspace has one place in a site's queue, and a
    turn at a site is taken over from a worker that was killed."""
    return fetch_options(source.workspace_id, holder=source.id)


def index_sources(*, max_seconds: float, options_of: OptionsOf = options_of) -> bool:
    """Index due sources until there is none or the time is up. Return whether some are left."""
    deadline = time.monotonic() + max_seconds
    while (source := claim_source()) is not None:
        index_source(source, deadline=deadline, options_of=options_of)
        if time.monotonic() >= deadline:
            return True
    return False


def index_source(source: Source, *, deadline: float, options_of: OptionsOf = options_of) -> None:
    """Index a claimed source, or go on where another run ended. A failure is the source's own.

    One whose runs end without a word, as those of killed workers do, fails after MAX_ATTEMPTS.
    """
    if source.attempts > MAX_ATTEMPTS:
        _fail(source, _CRASHED)
        return
    try:
        with claim_renewed(source):
            _index(source, options_of(source), deadline)
    except ClaimLost:
        log.info("indexing_superseded", source_id=source.id)
    except IndexingPaused as pause:
        _try_again(source, seconds=pause.seconds, attempts=0, reason=str(pause))
    except IndexingFailed as failure:
        _fail(source, str(failure))
    except IndexingDelayed as delay:
        _retry(source, str(delay), seconds=delay.seconds)
    except ProviderError as failure:
        log.warning("embedding_failed", source_id=source.id, detail=failure.detail)
        _retry(source, "The embedding model does not answer.", seconds=0.0)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:
        log.exception("indexing_crashed", source_id=source.id)
        _retry(source, _CRASHED, seconds=0.0)


def _index(source: Source, options: FetchOptions, deadline: float) -> None:
    generation = _open_generation(source)
    if not generation.is_read:
        read_documents(source, generation, options=options, deadline=deadline)
        Generation.objects.filter(workspace_id=source.workspace_id, id=generation.id).update(
            is_read=True
        )
    while True:
        _embed(source, generation, deadline)
        if make_live(source, generation):
            return


@transaction.atomic
def _open_generation(source: Source) -> Generation:
    """The generation that is being built, or a new one. Raises ClaimLost."""
    lock_claimed(source)
    generation, _ = Generation.objects.get_or_create(
        workspace_id=source.workspace_id, source=source, finished_at=None
    )
    return generation


def _embed(source: Source, generation: Generation, deadline: float) -> None:
    base = KnowledgeBase.objects.get(workspace_id=source.workspace_id, id=source.knowledge_base_id)
    chunks = Chunk.objects.filter(workspace_id=source.workspace_id, generation=generation)
    total = chunks.count()
    update_claimed(
        source,
        status=SourceStatus.EMBEDDING,
        status_reason="",
        progress_done=0,
        progress_total=total,
    )
    for model in EmbeddingModel.objects.filter(id__in=embedding_model_ids(base)):
        copy_live_vectors(source, generation, model.id)
        done = 0
        while embedded := embed_next(source, generation, model):
            done += embedded
            update_claimed(source, progress_done=min(done, total), attempts=0)
            if time.monotonic() >= deadline:
                raise IndexingPaused


def _retry(source: Source, reason: str, *, seconds: float) -> None:
    if source.attempts >= MAX_ATTEMPTS:
        _fail(source, reason)
        return
    delay = _RETRY_SECONDS[min(source.attempts, len(_RETRY_SECONDS)) - 1]
    _try_again(source, seconds=max(seconds, delay), attempts=source.attempts, reason=reason)


def _try_again(source: Source, *, seconds: float, attempts: int, reason: str) -> None:
    """Release the source. `reason`: what its owner is told while it waits."""
    try:
        update_claimed(
            source,
            due_at=Now() + timedelta(seconds=seconds),
            claimed_until=None,
            attempts=attempts,
            status_reason=reason[:500],
        )
    except ClaimLost:
        log.info("indexing_superseded", source_id=source.id)


@transaction.atomic
def _fail(source: Source, reason: str) -> None:
    """End the indexing with a reason. What is live stays so; the next refresh tries again."""
    try:
        locked = lock_claimed(source)
    except ClaimLost:
        return
    interval = REFRESH_INTERVALS.get(RefreshInterval(locked.refresh_every))
    update_claimed(
        source,
        status=SourceStatus.FAILED,
        status_reason=reason[:500],
        due_at=None if interval is None else Now() + interval,
        claimed_until=None,
        attempts=0,
    )
    emit_source_event(EventType.SOURCE_FAILED, source)
    sources = Source.objects.filter(workspace_id=source.workspace_id, id=source.id)
    discard_unfinished(source.workspace_id, sources)
    log.info("source_failed", source_id=source.id, reason=reason)
