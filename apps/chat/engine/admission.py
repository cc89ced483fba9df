"""Admit a chat request and start its turn: the one way in, for every transport."""

from collections.abc import Awaitable, Callable

from apps.chat.engine import chatbot_rate_limit
from apps.chat.engine.access import Access
from apps.chat.engine.log import TurnLog
from apps.chat.engine.request_parsing import ParsedRequest
from apps.chat.engine.start import start_turn
from apps.infrastructure.redis.cache_invalidation import is_stale
from apps.infrastructure.redis.rate_limit import Window

Reauthenticate = Callable[[], Awaitable[Access]]


async def admit_and_start(
    access: Access,
    request: ParsedRequest,
    *,
    request_id: str,
    on_rate_limit: Callable[[Window], object] = lambda window: None,
    reauthenticate: Reauthenticate | None = None,
) -> tuple[TurnLog, Access]:
    """Take a slot in the rate limits of the chatbot and its workspace and open the turn, or find
    the one that the idempotency key opened.

    `on_rate_limit` gets the state of the limit, also when the request is refused.
    `reauthenticate` is called if `access` came from a cache that is out of date by now.

    Returns the turn's log and the access that was used. Raises TooManyRequests, and whatever
    `reauthenticate` and `start_turn` raise.
    """
    window = await chatbot_rate_limit.admit(
        access.chatbot,
        characters=len(request.message),
        idempotency_key=request.idempotency_key,
    )
    on_rate_limit(window)
    if reauthenticate is not None and is_stale(access.cache_version):
        access = await reauthenticate()
    if not window.admitted:
        raise chatbot_rate_limit.refusal(window)
    return await start_turn(access, request, request_id=request_id), access
