"""Trying again, while that is safe: before the first token, and only what may be retried.

After a token, a second try could say something else than what the caller has already read.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import structlog

from apps.llm.errors import ModelFailure
from apps.llm.limits import Limits
from apps.llm.types import ModelEvent

RETRIES = 2
FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 2.0
LONGEST_RETRY_AFTER_SECONDS = 5.0
"""A provider that asks for more patience than this is given up at once."""

logger = structlog.get_logger(__name__)


async def with_retries(
    attempt: Callable[[], AsyncGenerator[ModelEvent, None]], limits: Limits
) -> AsyncGenerator[ModelEvent, None]:
    """The events of the first attempt that gives any.

    Raises: ModelFailure, the last one, when the attempts or the time are used up.
    """
    for number in range(RETRIES + 1):
        begun = False
        try:
            async with aclosing(attempt()) as events:
                async for event in events:
                    begun = True
                    yield event
            return
        except ModelFailure as failure:
            pause = _pause(failure, number)
            if begun or pause is None or not limits.allow_pause(pause):
                raise
            logger.info("model retried", attempt=number + 1, detail=failure.detail)
        await asyncio.sleep(pause)


def _pause(failure: ModelFailure, number: int) -> float | None:
    """Seconds to wait after attempt `number` (from 0) failed so; None to give up."""
    if number == RETRIES or not failure.retryable:
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= LONGEST_RETRY_AFTER_SECONDS else None
    # Jitter, so that turns that failed together do not return together.
    backoff: float = min(FIRST_BACKOFF_SECONDS * 2**number, LONGEST_BACKOFF_SECONDS)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
