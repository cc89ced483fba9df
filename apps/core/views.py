"""Health, and the answers of last resort."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.core import errors
from apps.core.logging import get_logger
from apps.core.middleware import is_api, request_id_of
from apps.core.process import process
from apps.core.redis import redis_client
from apps.core.threads import in_thread

log = get_logger(__name__)


async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Says nothing of what it depends on."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Whether this process can serve: database, Redis, and no migration outstanding."""
    checks = {"database": _database, "migrations": _migrations, "redis": _redis}
    found = {name: await _check(name, check) for name, check in checks.items()}
    if process.is_stopping:
        found["process"] = "stopping"
    ready = all(state == "ok" for state in found.values())
    body = {"status": "ok" if ready else "unavailable", "checks": found}
    return JsonResponse(body, status=200 if ready else 503)


async def _check(name: str, check: Callable[[], Awaitable[str]]) -> str:
    try:
        return await asyncio.wait_for(check(), timeout=3)
    except Exception as exception:
        log.warning("not_ready", part=name, reason=type(exception).__name__)
        return "unavailable"


async def _database() -> str:
    def select() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await in_thread(select)
    return "ok"


async def _migrations() -> str:
    def outstanding() -> bool:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    return "outstanding" if await in_thread(outstanding) else "ok"


async def _redis() -> str:
    await redis_client().ping()
    return "ok"


@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """A browser tells that a page broke the Content-Security-Policy. It is ours or an attack's."""
    log.warning("csp_report", report=request.body[:2000].decode(errors="replace"))
    return HttpResponse(status=204)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 outside every view."""
    return _error(request, errors.ValidationFailed(sentence="The request is not valid."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the person's role does not allow this."""
    return _error(request, errors.Forbidden("Your role here does not allow this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form came without its token, from another site or from before one signed in."""
    sentence = "This form is out of date. Go back, reload the page and send it again."
    return _error(request, errors.Forbidden(sentence))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 for an address that nothing serves."""
    return _error(request, errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """500 that no view caught. Django has logged the traceback."""
    return _error(request, errors.InternalError())


def _error(request: HttpRequest, error: errors.ApiError) -> HttpResponse:
    if is_api(request):
        return JsonResponse(error.body(), status=error.status, headers=error.headers())
    context = {
        "error": error,
        "request_id": request_id_of(request),
        # What failed on our side may be what the frame is made of.
        "is_framed": error.status < 500 and hasattr(request, "member"),
    }
    return render(request, "core/error.html", context, status=error.status)
