"""Embed a question while somebody waits for its answer."""

import asyncio
import hashlib
import time
from array import array
from collections import OrderedDict
from dataclasses import dataclass

from apps.chatbots.models import EmbeddingModel
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.knowledge.embedding.request import Input, build_request, fit_input
from apps.knowledge.embedding.thread_loop import run_in_thread_loop
from apps.llm.embeddings.services import embed
from apps.llm.embeddings.types import Embeddings
from apps.llm.errors import InputRefused, ProviderError

QUERY_SECONDS = 5.0
RETRY_SECONDS = 0.05
MAX_RETRY_AFTER_SECONDS = 1.0
"""A provider that asks to wait for longer is not asked again."""

CACHED_QUERIES = 1_000
"""Of one event loop: about 2 MB with 384 dimensions."""

Key = tuple[str, str, str, int, bytes]


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """The vector of a question. `input_tokens`: 0 if it was remembered."""

    vector: "array[float]"
    input_tokens: int


class _QueryCache:
    """The last questions of an event loop: digests and vectors, no texts. A failure is dropped."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[Key, asyncio.Task[Embeddings]] = OrderedDict()

    def find(self, key: Key) -> asyncio.Task[Embeddings] | None:
        """Return the call for a question, running or done."""
        if key in self._tasks:
            self._tasks.move_to_end(key)
        return self._tasks.get(key)

    def add(self, key: Key, task: asyncio.Task[Embeddings]) -> None:
        """Remember a call."""
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._drop_failure(key, done))
        if len(self._tasks) > CACHED_QUERIES:
            self._tasks.popitem(last=False)

    def _drop_failure(self, key: Key, task: asyncio.Task[Embeddings]) -> None:
        if (task.cancelled() or task.exception()) and self._tasks.get(key) is task:
            del self._tasks[key]


_caches = PerLoop(_QueryCache)


async def embed_query(
    model: EmbeddingModel, text: str, *, timeout_seconds: float = QUERY_SECONDS
) -> EmbeddedQuery:
    """Embed a question. The last ones are remembered, and equal ones at a time share one call,
    which goes on if the first that asked is cancelled.

    Raises: ValueError for a text without words; ProviderError.
    """
    question = fit_input(model, model.query_prefix, text)
    digest = hashlib.sha256(question.text.encode()).digest()
    key = (model.id, model.provider_model, model.api_base, model.dimensions, digest)
    cache = _caches.get()
    task, is_new = cache.find(key), False
    if task is None:
        task, is_new = start_background_task(_embed(model, question, timeout_seconds)), True
        cache.add(key, task)
    embeddings = await asyncio.shield(task)
    return EmbeddedQuery(embeddings.vectors[0], embeddings.input_tokens if is_new else 0)


def embed_query_in_thread(
    model: EmbeddingModel, text: str, *, timeout_seconds: float = QUERY_SECONDS
) -> EmbeddedQuery:
    """`embed_query` for a thread without an event loop; blocks it."""
    return run_in_thread_loop(embed_query(model, text, timeout_seconds=timeout_seconds))


async def _embed(model: EmbeddingModel, question: Input, timeout_seconds: float) -> Embeddings:
    """Call the provider, once more after an error that may have passed."""
    deadline = time.monotonic() + timeout_seconds
    try:
        return await embed(build_request(model, [question], timeout_seconds))
    except InputRefused as refusal:
        if not refusal.says_too_long:
            raise
        question = question.shortened()
    except ProviderError as error:
        pause = RETRY_SECONDS if error.retry_after is None else error.retry_after
        too_late = time.monotonic() + pause >= deadline
        if not error.retryable or pause > MAX_RETRY_AFTER_SECONDS or too_late:
            raise
        await asyncio.sleep(pause)
    return await embed(build_request(model, [question], deadline - time.monotonic()))
