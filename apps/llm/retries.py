"""Trying again, while that is safe: before the first token, and only what may be retried.

After a token, a second try could say something else than what the caller has already read.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from apps.llm.deadlines import Deadlines
from apps.llm.errors import ProviderError

MAX_RETRIES = 2
FIRST_BACKOFF_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 2.0
MAX_RETRY_AFTER_SECONDS = 5.0
"""A provider that asks for more patience than this is given up at once."""

logger = structlog.get_logger(__name__)


async def with_retries(
    attempt: Callable[[], Awaitable[None]], *, has_started: Callable[[], bool], deadlines: Deadlines
) -> None:
    """Try until an attempt ends well, or has told something.

    Raises: ProviderError, the last one, when the attempts or the time are used up.
    """
    for number in range(MAX_RETRIES + 1):
        try:
            await attempt()
            return
        except ProviderError as failure:
            pause = _pause(failure, number)
            if has_started() or pause is None or not deadlines.allows_pause(pause):
                raise
            logger.info("model retried", attempt=number + 1, detail=failure.detail)
        await asyncio.sleep(pause)


def _pause(failure: ProviderError, number: int) -> float | None:
    """Seconds to wait after attempt `number` (from 0) failed so; None to give up."""
    if number == MAX_RETRIES or not failure.retryable:
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= MAX_RETRY_AFTER_SECONDS else None
    # Jitter, so that turns that failed together do not return together.
    backoff: float = min(FIRST_BACKOFF_SECONDS * 2**number, MAX_BACKOFF_SECONDS)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
