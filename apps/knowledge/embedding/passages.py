"""Embed passages in a worker: in batches, with retries, for as long as a deadline allows.

What a server does not take is found out and remembered by the process: a batch that it refuses, or
does not finish in time, is halved; a text that is too long is cut and named. While a provider asks
to wait, no other thread of the process calls it for the same model.
"""

import asyncio
import random
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from apps.chatbots.models import EmbeddingModel
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.knowledge.embedding.request import Input, build_request, fit_input
from apps.knowledge.embedding.thread_loop import run_in_thread_loop
from apps.llm.embeddings.services import embed
from apps.llm.embeddings.types import Embeddings
from apps.llm.errors import InputRefused, ProviderError, ProviderTimeout

BATCH_TOKENS = 8_000
"""The most estimated tokens in one request: some ten seconds of a small model on one core."""

REQUEST_SECONDS = 120.0
"""The most that one batch may take."""

DEADLINE_SECONDS = 600.0
"""The most that a call may take, pauses included."""

MAX_RETRIES = 6
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
"""Without a Retry-After, the pauses of one batch add up to about half a minute."""

MAX_CUTS = 4
"""How often a text that a server calls too long is halved."""

CONCURRENT_BATCHES = 2
"""Of one model and process. More would only wait at the provider, or be refused by it."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddedPassages:
    """The vectors, in the order of the passages, and the tokens to charge.

    `cut`: the positions of the passages of which only the beginning was embedded.
    """

    vectors: "list[array[float]]"
    input_tokens: int
    cut: tuple[int, ...]


def embed_passages(
    model: EmbeddingModel, texts: Sequence[str], *, deadline_seconds: float = DEADLINE_SECONDS
) -> EmbeddedPassages:
    """Embed passages, from any thread; blocks until the end or the deadline.

    Raises: ValueError for a text without words; the `ProviderError` of the last try, whose
    `detail` is for staff.
    """
    inputs = [fit_input(model, model.passage_prefix, text) for text in texts]
    run = _Run(model, time.monotonic() + deadline_seconds)
    return run_in_thread_loop(run.embed(inputs))


@dataclass(slots=True)
class _ModelState:
    """What the process knows of a model; used in its loop for threads alone."""

    batch_size: int
    free_at: float = 0.0
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_BATCHES))


_states: PerLoop[dict[str, _ModelState]] = PerLoop(dict)


class _Run:
    """One call of `embed_passages`."""

    def __init__(self, model: EmbeddingModel, deadline: float) -> None:
        self._model = model
        self._deadline = deadline
        self._tokens = 0
        self._cut: list[int] = []

    async def embed(self, inputs: Sequence[Input]) -> EmbeddedPassages:
        size = self._model.batch_size
        self._state = state = _states.get().setdefault(self._model.id, _ModelState(size))
        state.batch_size = min(state.batch_size, size)
        vectors: list[array[float]] = []
        self._cut = [position for position, each in enumerate(inputs) if each.is_cut]
        while len(vectors) < len(inputs):
            batch = next(_batches(inputs[len(vectors) :], state.batch_size))
            vectors += await self._embed_batch(batch, len(vectors))
        return EmbeddedPassages(vectors, self._tokens, tuple(sorted(set(self._cut))))

    async def _embed_batch(self, batch: Sequence[Input], position: int) -> "list[array[float]]":
        try:
            embeddings = await self._call(batch)
        except (InputRefused, ProviderTimeout) as error:
            if len(batch) == 1:
                return [await self._embed_shortened(batch[0], position, error)]
            half = len(batch) // 2
            logger.info("embedding batch halved", texts=len(batch), detail=error.detail)
            vectors = await self._embed_batch(batch[:half], position)
            vectors += await self._embed_batch(batch[half:], position + half)
            # Only now is it certain that the number was the reason.
            self._state.batch_size = min(self._state.batch_size, max(half, 1))
            return vectors
        self._tokens += embeddings.input_tokens
        return embeddings.vectors

    async def _embed_shortened(
        self, each: Input, position: int, error: ProviderError
    ) -> "array[float]":
        for _ in range(MAX_CUTS):
            if not (isinstance(error, InputRefused) and error.says_too_long):
                break
            each = each.shortened()
            try:
                embeddings = await self._call([each])
            except InputRefused as refusal:
                error = refusal
            else:
                self._cut.append(position)
                self._tokens += embeddings.input_tokens
                return embeddings.vectors[0]
        raise error

    async def _call(self, batch: Sequence[Input]) -> Embeddings:
        """Call the provider, again after errors that may pass, until the deadline."""
        state = self._state
        failures = 0
        while True:
            async with state.slots:
                await self._wait_until_free()
                seconds = min(REQUEST_SECONDS, self._remaining())
                try:
                    return await embed(build_request(self._model, batch, seconds))
                except ProviderError as error:
                    failures += 1
                    wait = _pause(error, failures)
                    is_worth_halving = isinstance(error, ProviderTimeout) and len(batch) > 1
                    if wait is None or wait >= self._remaining() or is_worth_halving:
                        raise
                    if error.retry_after is not None:
                        state.free_at = max(state.free_at, time.monotonic() + wait)
                    detail = error.detail
            logger.info("embedding retried", failures=failures, seconds=wait, detail=detail)
            await asyncio.sleep(wait)

    async def _wait_until_free(self) -> None:
        """Wait while the provider is left alone. Raises ProviderTimeout at the deadline."""
        while True:
            remaining, wait = self._remaining(), self._state.free_at - time.monotonic()
            if remaining <= 0:
                raise ProviderTimeout(f"{self._model.provider_model}: not finished by the deadline")
            if wait <= 0:
                return
            await asyncio.sleep(min(wait, remaining))  # somebody else may be told to wait now

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()


def _batches(inputs: Sequence[Input], batch_size: int) -> Iterator[list[Input]]:
    batch: list[Input] = []
    tokens = 0
    for each in inputs:
        if batch and (len(batch) >= batch_size or tokens + each.tokens > BATCH_TOKENS):
            yield batch
            batch, tokens = [], 0
        batch.append(each)
        tokens += each.tokens
    if batch:
        yield batch


def _pause(error: ProviderError, failures: int) -> float | None:
    """Seconds to wait before the next try; None to give up."""
    if not error.retryable:
        return None
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
    if error.retry_after is not None:
        return error.retry_after + 0.2 * jitter
    if failures > MAX_RETRIES:
        return None
    pause: float = min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), MAX_PAUSE_SECONDS)
    return pause * jitter
