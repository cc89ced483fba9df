"""Record refused chat requests for the request inspector.

Only refusals, and retries that found the turn of their idempotency key: a request that opens a
turn is recorded by that turn. See `apps.api_kit.refusal_log`.
"""

import time
from typing import Any

from apps.api_kit.callers import Caller
from apps.api_kit.error_format import as_api_error
from apps.api_kit.refusal_log import RefusedRequest, log_refusal, log_refused_request
from apps.chat.engine.access import Access

TURN_ERROR_CODES = {
    "MODEL_ERROR",
    "MODEL_UNAVAILABLE",
    "MODEL_TIMEOUT",
    "REPLY_LIMIT_REACHED",
    "TURN_ABANDONED",
}
"""Errors of a turn that was opened: its row records them."""


def log_refused_chat(exception: Exception, *, caller: Caller | None, **request: Any) -> None:
    """Record why a request was refused, if its workspace is known.

    `request`: the further arguments of `log_refusal`.
    """
    error = as_api_error(exception)
    if error.code not in TURN_ERROR_CODES:
        log_refusal(error, caller=caller, **request)


def log_retry(access: Access, *, request_id: str, turn_id: str) -> None:
    """Record that a request found the turn that its idempotency key had opened."""
    retry = RefusedRequest(
        request_id=request_id,
        at=time.time(),
        method="",
        path="",
        status=200,
        api_key_id=access.api_key_id,
        chatbot_id=access.chatbot.id,
        turn_id=turn_id,
    )
    log_refused_request(access.workspace_id, retry)
