"""Retry a call while that is safe: before the first token, and only retryable errors.

After a token, a second attempt could contradict what the caller has already read.
"""

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
"""A provider that asks to wait longer than this is not retried."""

logger = structlog.get_logger(__name__)


async def with_retries(
    attempt: Callable[[], Awaitable[None]], *, has_started: Callable[[], bool], deadlines: Deadlines
) -> None:
    """Run attempts until one succeeds. Raises: ProviderError, the last attempt's."""
    for number in range(MAX_RETRIES + 1):
        try:
            await attempt()
            return
        except ProviderError as error:
            pause = _pause(error, number)
            if has_started() or pause is None or not deadlines.allows_pause(pause):
                raise
            logger.info("model retried", attempt=number + 1, detail=error.detail)
        await asyncio.sleep(pause)


def _pause(error: ProviderError, number: int) -> float | None:
    """Seconds to wait after attempt `number` (from 0) failed; None to give up."""
    if number == MAX_RETRIES or not error.retryable:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= MAX_RETRY_AFTER_SECONDS else None
    # Jitter, so that turns that failed together do not retry together.
    backoff: float = min(FIRST_BACKOFF_SECONDS * 2**number, MAX_BACKOFF_SECONDS)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
