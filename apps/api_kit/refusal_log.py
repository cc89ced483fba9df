"""What was decided about requests that came to nothing, kept in Redis for some days.

A request that opens a turn is written down by its turn. One that is refused leaves no row; this
keeps a note of it for the workspace whose key it came with, so that its members can find out why.
Notes may be lost: the newest thousand of a workspace are kept for a week, and none while Redis is
away.

Nobody waits for a note: it is left here and sent on with others a moment later. A request that
is not refused leaves none, and costs nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from redis.exceptions import RedisError

from apps.core.errors import ApiError, ValidationFailed
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.clients import KEY_PREFIX, blocking_redis_client, redis_client
from apps.infrastructure.redis.rate_limit import Window

log = get_logger(__name__)

MAX_ENTRIES = 1000
RETENTION = timedelta(days=7)

_FLUSH_DELAY_SECONDS = 0.1
_RETRY_DELAY_SECONDS = 5.0
_MAX_QUEUED = 500
_MAX_TEXT_LENGTH = 1000
_REDIS_ERRORS = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """One request that came to nothing, or to a turn that another had opened.

    `code` is empty for the latter, and `turn_id` names the turn. `limit`, `remaining`, `reset`:
    where the rate limit stood, if it was asked. `needed`: the credits that could not be held.
    """

    request_id: str
    at: float
    method: str
    path: str
    status: int
    code: str = ""
    error: str = ""
    details: Mapping[str, Any] | None = None
    api_key_id: str | None = None
    chatbot_id: str | None = None
    turn_id: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    retry_after: int | None = None
    needed: int | None = None

    @property
    def refused_at(self) -> datetime:
        """When it was decided."""
        return datetime.fromtimestamp(self.at, UTC)


def refusal(
    error: ApiError,
    *,
    request_id: str,
    method: str,
    path: str,
    api_key_id: str | None = None,
    chatbot_id: str | None = None,
    window: Window | None = None,
) -> RefusedRequest:
    """The note of a request that met this error."""
    details = None
    if isinstance(error, ValidationFailed):
        details = {str(k)[:100]: [s[:200] for s in v] for k, v in list(error.details.items())[:10]}
    return RefusedRequest(
        request_id=request_id,
        at=time.time(),
        method=method,
        path=path[:_MAX_TEXT_LENGTH],
        status=error.status,
        code=error.code,
        error=error.message[:_MAX_TEXT_LENGTH],
        details=details,
        api_key_id=api_key_id,
        chatbot_id=chatbot_id,
        limit=window.limit if window else None,
        remaining=window.remaining if window else None,
        reset=window.reset if window else None,
        retry_after=error.retry_after,
        needed=getattr(error, "needed", None),
    )


class _Queue:
    """Notes on their way to Redis; the oldest give way when there are too many."""

    entries: deque[tuple[str, str]] = deque(maxlen=_MAX_QUEUED)
    tasks: set[asyncio.Task[None]] = set()
    paused_until = 0.0


def log_refused_request(workspace_id: str, refused: RefusedRequest) -> None:
    """Have a note kept for a workspace. Does not wait for it in an event loop, and raises nothing.

    In a thread, which nobody else uses meanwhile, it is sent at once.
    """
    _Queue.entries.append((workspace_id, json.dumps(asdict(refused), separators=(",", ":"))))
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _flush_blocking()
        return
    if not _Queue.tasks:
        task = loop.create_task(_flush_later(), context=contextvars.Context())
        _Queue.tasks.add(task)
        task.add_done_callback(_Queue.tasks.discard)


async def flush() -> None:
    """Wait until what is on its way from this event loop has gone: for the process's end."""
    await asyncio.gather(*_Queue.tasks, return_exceptions=True)


async def _flush_later() -> None:
    await asyncio.sleep(_FLUSH_DELAY_SECONDS)
    if batch := _drain_queue():
        pipe = redis_client().pipeline(transaction=False)
        _add_to_pipeline(pipe, batch)
        try:
            await pipe.execute()
        except _REDIS_ERRORS as error:
            _pause(error)


def _flush_blocking() -> None:
    if batch := _drain_queue():
        pipe = blocking_redis_client().pipeline(transaction=False)
        _add_to_pipeline(pipe, batch)
        try:
            pipe.execute()
        except _REDIS_ERRORS as error:
            _pause(error)


def _drain_queue() -> list[tuple[str, str]]:
    """What waits, taken away; nothing while Redis is left alone."""
    batch = []
    while _Queue.entries:
        batch.append(_Queue.entries.popleft())
    return batch if time.monotonic() >= _Queue.paused_until else []


def _add_to_pipeline(pipe: Any, batch: Iterable[tuple[str, str]]) -> None:
    for workspace_id, text in batch:
        pipe.xadd(_key(workspace_id), {"note": text}, maxlen=MAX_ENTRIES, approximate=True)
    for workspace_id in {workspace_id for workspace_id, _ in batch}:
        pipe.expire(_key(workspace_id), RETENTION)


def _pause(error: Exception) -> None:
    _Queue.paused_until = time.monotonic() + _RETRY_DELAY_SECONDS
    log.warning("request_notes_lost", reason=type(error).__name__)


def refused_requests_for(workspace_id: str, *, limit: int = MAX_ENTRIES) -> list[RefusedRequest]:
    """The workspace's notes of the last week, newest first; none while Redis is away."""
    oldest = int((time.time() - RETENTION.total_seconds()) * 1000)
    try:
        found = blocking_redis_client().xrevrange(_key(workspace_id), min=str(oldest), count=limit)
    except _REDIS_ERRORS as error:
        log.warning("request_notes_away", reason=type(error).__name__)
        return []
    rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
    return [RefusedRequest(**json.loads(fields[b"note"])) for _, fields in rows]


def find_refused_request(workspace_id: str, request_id: str) -> RefusedRequest | None:
    """The workspace's note of this request, if one is kept."""
    return next((n for n in refused_requests_for(workspace_id) if n.request_id == request_id), None)


def _key(workspace_id: str) -> str:
    return f"{KEY_PREFIX}requests:{workspace_id}"
