"""Health checks: liveness and readiness of this process.

They are answered before Django and before any limit: a balancer calls a process by its address,
over plain HTTP, and must get an answer while a flood of other requests is refused.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.process import process
from apps.infrastructure.redis.clients import redis_client
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send, send_response

log = get_logger(__name__)

Results = dict[str, str]

CHECK_SECONDS = 3.0
REUSE_SECONDS = 1.0
"""How long the results of a check are used for further requests."""


def serve_health(*, otherwise: Application) -> Application:
    """Answer `/healthz` and `/readyz`, whatever their Host header, and pass on all other paths.

    `/healthz`: 200 while the process responds; no dependencies. `/readyz`: 200 while database and
    Redis respond and all migrations are applied, otherwise 503.
    """
    readiness = PerLoop(Readiness)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/healthz":
                await _send(scope, send, {"status": "ok"})
            case "/readyz":
                results = await readiness.get().check()
                is_ready = all(state == "ok" for state in results.values())
                status = "ok" if is_ready else "unavailable"
                await _send(scope, send, {"status": status, "checks": results}, is_ok=is_ready)
            case _:
                await otherwise(scope, receive, send)

    return serve


class Readiness:
    """The checks of `/readyz`. Requests at the same moment, or soon after, share the results.

    `runs`: how often the parts were checked.
    """

    def __init__(self) -> None:
        self.runs = 0
        self._started_at = 0.0
        self._task: asyncio.Task[Results] | None = None

    async def check(self) -> Results:
        """Return `ok` or what is wrong, for each part that the process needs."""
        now = time.monotonic()
        if self._task is None or now - self._started_at > REUSE_SECONDS:
            self._started_at = now
            self.runs += 1
            self._task = asyncio.create_task(_check_all())
        results = await asyncio.shield(self._task)
        return {**results, "process": "stopping"} if process.is_stopping else results


async def _check_all() -> Results:
    checks = {"database": _database, "migrations": _migrations, "redis": _redis}
    return {name: await _check(name, check) for name, check in checks.items()}


async def _check(name: str, check: Callable[[], Awaitable[str]]) -> str:
    try:
        return await asyncio.wait_for(check(), timeout=CHECK_SECONDS)
    except Exception as exception:
        log.warning("not_ready", part=name, reason=type(exception).__name__)
        return "unavailable"


async def _database() -> str:
    def ping() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await in_thread(ping)
    return "ok"


async def _migrations() -> str:
    def has_unapplied() -> bool:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    return "outstanding" if await in_thread(has_unapplied) else "ok"


async def _redis() -> str:
    await redis_client().ping()
    return "ok"


async def _send(scope: Scope, send: Send, body: Any, *, is_ok: bool = True) -> None:
    status = 200 if is_ok else 503
    await send_response(scope, send, status, json.dumps(body).encode(), "application/json")
