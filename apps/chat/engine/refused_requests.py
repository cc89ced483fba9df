"""Why a request to chat came to nothing, noted for the members of its workspace.

Only refusals come here, and retries that found the turn of their idempotency key: a request that
opens a turn is written down by it. See `apps.api_kit.refusal_log`.
"""

from __future__ import annotations

import time

from django.http import HttpRequest

from apps.api_kit.callers import Caller
from apps.api_kit.error_format import as_api_error
from apps.api_kit.refusal_log import RefusedRequest, log_refused_request
from apps.chatbots.models import Chatbot
from apps.core.errors import ApiError
from apps.infrastructure.redis.rate_limit import Window
from apps.infrastructure.web.middleware import get_request_id

TURN_ERROR_CODES = {"MODEL_ERROR", "MODEL_UNAVAILABLE", "MODEL_TIMEOUT", "TURN_ABANDONED"}
"""Errors of a turn that was opened: its row tells of them."""


def log_refused_http_request(
    exception: Exception,
    request: HttpRequest,
    found: tuple[Caller, Chatbot] | None,
    window: Window | None,
) -> None:
    """Note why a request over HTTP was refused, if it is known whose it was."""
    error = as_api_error(exception)
    caller, chatbot = found or (None, None)
    who = (caller.workspace_id, caller.api_key_id) if caller else error.caller
    if who is None or error.code in TURN_ERROR_CODES:
        return
    _note(
        error,
        who,
        request_id=get_request_id(request),
        method=request.method or "",
        path=request.path,
        chatbot_id=chatbot.id if chatbot else None,
        window=window,
    )


def log_refused_command(
    error: ApiError, caller: Caller | None, *, chatbot_id: str, path: str, about: dict[str, object]
) -> None:
    """Note why a command on a WebSocket was refused."""
    request_id = about.get("xRequestId")
    if caller is None or not isinstance(request_id, str) or error.code in TURN_ERROR_CODES:
        return
    _note(
        error,
        (caller.workspace_id, caller.api_key_id),
        request_id=request_id,
        method="WebSocket",
        path=path,
        chatbot_id=chatbot_id,
        window=None,
    )


def log_retry(
    *, workspace_id: str, request_id: str, api_key_id: str | None, chatbot_id: str, turn_id: str
) -> None:
    """Note that a request found the turn that its idempotency key had opened."""
    log_refused_request(
        workspace_id,
        RefusedRequest(
            request_id=request_id,
            at=time.time(),
            method="",
            path="",
            status=200,
            api_key_id=api_key_id,
            chatbot_id=chatbot_id,
            turn_id=turn_id,
        ),
    )


def _note(
    error: ApiError,
    who: tuple[str, str],
    *,
    request_id: str,
    method: str,
    path: str,
    chatbot_id: str | None,
    window: Window | None,
) -> None:
    workspace_id, api_key_id = who
    note = RefusedRequest.from_error(
        error,
        request_id=request_id,
        method=method,
        path=path,
        api_key_id=api_key_id,
        chatbot_id=chatbot_id,
        window=window,
    )
    log_refused_request(workspace_id, note)
