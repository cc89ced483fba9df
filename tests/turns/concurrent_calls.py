"""Run calls concurrently and summarize their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def outcomes(*calls: Coroutine[Any, Any, Any]) -> list[str]:
    """Run these calls concurrently. Returns `done` or the name of the exception for each."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [type(one).__name__ if isinstance(one, BaseException) else "done" for one in results]
