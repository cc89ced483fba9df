"""Log refused requests in Redis, for the request inspector of their workspace.

A turn's row describes the request that opened it. A refused request leaves no row: an entry here
shows the members of its workspace why it was refused. Entries may be lost: the newest thousand of
a workspace are kept for a week, and none are written while Redis is unavailable.

Logging does not wait for Redis: in an event loop, entries are queued and sent together a moment
later. A request that is not refused costs nothing.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

from apps.api_kit.callers import Caller
from apps.core.errors import ApiError, PaymentRequired, ValidationFailed
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker
from apps.infrastructure.redis.clients import KEY_PREFIX, blocking_redis_client, redis_client
from apps.infrastructure.redis.rate_limit import Window

log = get_logger(__name__)

MAX_ENTRIES = 1000
RETENTION = timedelta(days=7)

_FLUSH_DELAY_SECONDS = 0.1
_MAX_QUEUED = 500
_MAX_TEXT_LENGTH = 1000
_breaker = CircuitBreaker(seconds=5)


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A refused request, or a retry that was answered with the turn of an earlier request.

    For a retry `code` is empty and `turn_id` names that turn. `at`: Unix seconds. `limit`,
    `remaining`, `reset`: the state of the rate limit, if it was checked. `needed`: the credits
    that could not be reserved, `available`: those that were free.
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
    available: int | None = None

    @property
    def refused_at(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    @classmethod
    def from_error(
        cls,
        error: ApiError,
        *,
        request_id: str,
        method: str,
        path: str,
        api_key_id: str | None = None,
        chatbot_id: str | None = None,
        window: Window | None = None,
    ) -> Self:
        """The entry of a request that raised this error, with long texts cut."""
        details = None
        if isinstance(error, ValidationFailed):
            fields = list(error.details.items())[:10]
            details = {str(name)[:100]: [text[:200] for text in texts] for name, texts in fields}
        return cls(
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
            needed=error.needed if isinstance(error, PaymentRequired) else None,
            available=error.available if isinstance(error, PaymentRequired) else None,
        )


def log_refusal(
    error: ApiError,
    *,
    caller: Caller | None,
    request_id: str,
    method: str,
    path: str,
    chatbot_id: str | None = None,
    window: Window | None = None,
) -> None:
    """Log why a request was refused for the workspace of its caller.

    Without a `caller`, for the one that `error.caller` names. A refusal of an unknown caller
    belongs to no workspace and is not logged.
    """
    ids = (caller.workspace_id, caller.api_key_id) if caller else error.caller
    if ids is not None:
        workspace_id, api_key_id = ids
        refused = RefusedRequest.from_error(
            error,
            request_id=request_id,
            method=method,
            path=path,
            api_key_id=api_key_id,
            chatbot_id=chatbot_id,
            window=window,
        )
        log_refused_request(workspace_id, refused)


class _Queue:
    """Entries (workspace id, JSON) to send to Redis; when it is full, the oldest are dropped."""

    entries: deque[tuple[str, str]] = deque(maxlen=_MAX_QUEUED)
    tasks: set[asyncio.Task[None]] = set()


def log_refused_request(workspace_id: str, refused: RefusedRequest) -> None:
    """Log an entry for a workspace. Raises nothing.

    In an event loop it is sent in the background, in a thread before this returns.
    """
    _Queue.entries.append((workspace_id, json.dumps(asdict(refused), separators=(",", ":"))))
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _flush_blocking()
        return
    if not _Queue.tasks:
        task = start_background_task(_flush_later())
        _Queue.tasks.add(task)
        task.add_done_callback(_Queue.tasks.discard)


async def flush() -> None:
    """Wait until the queued entries of this event loop are sent. Call it at shutdown."""
    await asyncio.gather(*_Queue.tasks, return_exceptions=True)


async def _flush_later() -> None:
    await asyncio.sleep(_FLUSH_DELAY_SECONDS)
    if batch := _drain_queue():
        pipe = redis_client().pipeline(transaction=False)
        _add_to_pipeline(pipe, batch)
        try:
            await pipe.execute()
            _breaker.close()
        except REDIS_ERRORS as error:
            _pause(error)


def _flush_blocking() -> None:
    if batch := _drain_queue():
        pipe = blocking_redis_client().pipeline(transaction=False)
        _add_to_pipeline(pipe, batch)
        try:
            pipe.execute()
            _breaker.close()
        except REDIS_ERRORS as error:
            _pause(error)


def _drain_queue() -> list[tuple[str, str]]:
    """Remove and return the queued entries; drop them while Redis is considered unavailable."""
    batch = []
    while _Queue.entries:
        batch.append(_Queue.entries.popleft())
    return batch if batch and _breaker.may_call() else []


def _add_to_pipeline(pipe: Any, batch: Iterable[tuple[str, str]]) -> None:
    for workspace_id, text in batch:
        pipe.xadd(_key(workspace_id), {"note": text}, maxlen=MAX_ENTRIES, approximate=True)
    for workspace_id in {workspace_id for workspace_id, _ in batch}:
        pipe.expire(_key(workspace_id), RETENTION)


def _pause(error: Exception) -> None:
    _breaker.open()
    log.warning("refusal_log_lost", reason=type(error).__name__)


def refused_requests_for(workspace_id: str, *, limit: int = MAX_ENTRIES) -> list[RefusedRequest]:
    """The workspace's entries of the last week, newest first; none while Redis is unavailable."""
    oldest = int((time.time() - RETENTION.total_seconds()) * 1000)
    if not _breaker.may_call():
        return []
    try:
        found = blocking_redis_client().xrevrange(_key(workspace_id), min=str(oldest), count=limit)
        _breaker.close()
    except REDIS_ERRORS as error:
        _breaker.open()
        log.warning("refusal_log_unavailable", reason=type(error).__name__)
        return []
    rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
    return [_decode(fields[b"note"]) for _, fields in rows]


def _decode(note: bytes) -> RefusedRequest:
    """The entry, without fields that only a newer version knows."""
    known = {field.name for field in dataclass_fields(RefusedRequest)}
    return RefusedRequest(**{n: value for n, value in json.loads(note).items() if n in known})


def find_refused_request(workspace_id: str, request_id: str) -> RefusedRequest | None:
    """The workspace's entry of this request, if there is one."""
    refused = refused_requests_for(workspace_id)
    return next((each for each in refused if each.request_id == request_id), None)


def _key(workspace_id: str) -> str:
    return f"{KEY_PREFIX}requests:{workspace_id}"
