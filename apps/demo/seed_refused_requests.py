"""Seed refused requests of the last days, for the request inspector."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from apps.api_keys.models import ApiKey
from apps.api_kit.callers import ScopeMissing
from apps.api_kit.refusal_log import RefusedRequest, log_refused_request
from apps.chatbots.models import Chatbot
from apps.conversations.errors import ConversationBusy
from apps.core.errors import ApiError, IdempotencyMismatch, TooManyRequests, ValidationFailed
from apps.core.ids import random_bits, request_id_at
from apps.workspaces.models import Workspace

_REFUSALS: tuple[tuple[timedelta, ApiError], ...] = (
    (timedelta(days=5, hours=3), ValidationFailed({"message": ["The message is empty."]})),
    (timedelta(days=4, hours=7), ScopeMissing("manage")),
    (timedelta(days=2, hours=1), IdempotencyMismatch()),
    (timedelta(days=1, hours=5), ConversationBusy()),
    (timedelta(hours=6, minutes=2), TooManyRequests(11)),
    (timedelta(hours=6), TooManyRequests(3)),
)


def seed_refused_requests(
    *, workspace: Workspace, chatbots: Sequence[Chatbot], keys: Sequence[ApiKey], now: datetime
) -> None:
    """Record each refusal, oldest first."""
    for number, (ago, error) in enumerate(_REFUSALS):
        chatbot, key, at = chatbots[number % len(chatbots)], keys[number % len(keys)], now - ago
        is_chat = not isinstance(error, ScopeMissing)
        refused = RefusedRequest.from_error(
            error,
            request_id=request_id_at(int(at.timestamp() * 1000), random_bits() >> 80),
            method="POST",
            path=f"/api/v1/chatbots/{chatbot.id}/chat" if is_chat else "/api/v1/leads",
            api_key_id=key.id,
            chatbot_id=chatbot.id if is_chat else None,
        )
        if isinstance(error, TooManyRequests):
            until = int(at.timestamp()) + (error.retry_after or 1)
            refused = replace(refused, limit=chatbot.rate_limit_requests, remaining=0, reset=until)
        log_refused_request(workspace.id, replace(refused, at=at.timestamp()))
