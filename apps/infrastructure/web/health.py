"""Health checks: liveness and readiness of this process."""

import asyncio
from collections.abc import Awaitable, Callable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.process import process
from apps.infrastructure.redis.clients import redis_client
from apps.infrastructure.web.error_pages import log


async def healthz(request: HttpRequest) -> JsonResponse:
    """Liveness: the process responds. Checks no dependencies."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Readiness: database and Redis respond, and all migrations are applied."""
    checks = {"database": _database, "migrations": _migrations, "redis": _redis}
    results = {name: await _check(name, check) for name, check in checks.items()}
    if process.is_stopping:
        results["process"] = "stopping"
    ready = all(state == "ok" for state in results.values())
    body = {"status": "ok" if ready else "unavailable", "checks": results}
    return JsonResponse(body, status=200 if ready else 503)


async def _check(name: str, check: Callable[[], Awaitable[str]]) -> str:
    try:
        return await asyncio.wait_for(check(), timeout=3)
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
