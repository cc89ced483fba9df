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

MOST_NOTES = 1000
KEPT = timedelta(days=7)

_PAUSE_SECONDS = 0.1
_REST_SECONDS = 5.0
_MOST_WAITING = 500
_MOST_TEXT = 1000
_AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class RequestNote:
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
    def moment(self) -> datetime:
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
) -> RequestNote:
    """The note of a request that met this error."""
    details = None
    if isinstance(error, ValidationFailed):
        details = {str(k)[:100]: [s[:200] for s in v] for k, v in list(error.details.items())[:10]}
    return RequestNote(
        request_id=request_id,
        at=time.time(),
        method=method,
        path=path[:_MOST_TEXT],
        status=error.status,
        code=error.code,
        error=error.message[:_MOST_TEXT],
        details=details,
        api_key_id=api_key_id,
        chatbot_id=chatbot_id,
        limit=window.limit if window else None,
        remaining=window.remaining if window else None,
        reset=window.reset if window else None,
        retry_after=error.retry_after,
        needed=getattr(error, "needed", None),
    )


class _Waiting:
    """Notes on their way to Redis; the oldest give way when there are too many."""

    notes: deque[tuple[str, str]] = deque(maxlen=_MOST_WAITING)
    tasks: set[asyncio.Task[None]] = set()
    rests_until = 0.0


def leave_note(workspace_id: str, note: RequestNote) -> None:
    """Have a note kept for a workspace. Does not wait for it in an event loop, and raises nothing.

    In a thread, which nobody else uses meanwhile, it is sent at once.
    """
    _Waiting.notes.append((workspace_id, json.dumps(asdict(note), separators=(",", ":"))))
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _send_blocking()
        return
    if not _Waiting.tasks:
        task = loop.create_task(_send_soon(), context=contextvars.Context())
        _Waiting.tasks.add(task)
        task.add_done_callback(_Waiting.tasks.discard)


async def notes_sent() -> None:
    """Wait until what is on its way from this event loop has gone: for the process's end."""
    await asyncio.gather(*_Waiting.tasks, return_exceptions=True)


async def _send_soon() -> None:
    await asyncio.sleep(_PAUSE_SECONDS)
    if batch := _taken():
        pipe = redis_client().pipeline(transaction=False)
        _put(pipe, batch)
        try:
            await pipe.execute()
        except _AWAY as error:
            _rest(error)


def _send_blocking() -> None:
    if batch := _taken():
        pipe = blocking_redis_client().pipeline(transaction=False)
        _put(pipe, batch)
        try:
            pipe.execute()
        except _AWAY as error:
            _rest(error)


def _taken() -> list[tuple[str, str]]:
    """What waits, taken away; nothing while Redis is left alone."""
    batch = []
    while _Waiting.notes:
        batch.append(_Waiting.notes.popleft())
    return batch if time.monotonic() >= _Waiting.rests_until else []


def _put(pipe: Any, batch: Iterable[tuple[str, str]]) -> None:
    for workspace_id, text in batch:
        pipe.xadd(_key(workspace_id), {"note": text}, maxlen=MOST_NOTES, approximate=True)
    for workspace_id in {workspace_id for workspace_id, _ in batch}:
        pipe.expire(_key(workspace_id), KEPT)


def _rest(error: Exception) -> None:
    _Waiting.rests_until = time.monotonic() + _REST_SECONDS
    log.warning("request_notes_lost", reason=type(error).__name__)


def notes_of(workspace_id: str, *, most: int = MOST_NOTES) -> list[RequestNote]:
    """The workspace's notes of the last week, newest first; none while Redis is away."""
    oldest = int((time.time() - KEPT.total_seconds()) * 1000)
    try:
        found = blocking_redis_client().xrevrange(_key(workspace_id), min=str(oldest), count=most)
    except _AWAY as error:
        log.warning("request_notes_away", reason=type(error).__name__)
        return []
    rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
    return [RequestNote(**json.loads(fields[b"note"])) for _, fields in rows]


def note_of(workspace_id: str, request_id: str) -> RequestNote | None:
    """The workspace's note of this request, if one is kept."""
    return next((n for n in notes_of(workspace_id) if n.request_id == request_id), None)


def _key(workspace_id: str) -> str:
    return f"{KEY_PREFIX}requests:{workspace_id}"
