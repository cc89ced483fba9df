"""A rate limit in words, so that two numbers become a picture."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.conversations.queries import turns_since

_PACES = ((1, "per second"), (60, "per minute"), (3600, "per hour"), (86_400, "per day"))


def describe_rate_limit(*, requests: int, seconds: int) -> str:
    """What so many requests in any so many seconds come to."""
    pace = requests / seconds
    length, unit = next(((n, unit) for n, unit in _PACES if pace * n >= 1), _PACES[-1])
    a_day = f"{_whole(pace * 86_400)} per day"
    if unit == "per day":
        return f"About {a_day}."
    return f"About {_whole(pace * length)} {unit}, or {a_day}."


def max_requests_per_day(chatbot: Chatbot) -> int:
    """How many requests the chatbot's limit lets through in 24 hours, if they come evenly."""
    return round(chatbot.rate_limit_requests * 86_400 / chatbot.rate_limit_window_seconds)


def count_turns_last_day(chatbot: Chatbot) -> int:
    """How many turns the chatbot has had in the last 24 hours."""
    since = timezone.now() - timedelta(hours=24)
    return turns_since(chatbot.workspace_id, since).filter(chatbot=chatbot).count()


def _whole(number: float) -> str:
    return f"{round(number):,}"
