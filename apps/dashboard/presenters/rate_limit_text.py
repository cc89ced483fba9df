"""A chatbot's rate limit as text, and its use of the last day."""

from datetime import timedelta

from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.conversations.queries import turns_since

_UNITS = ((1, "per second"), (60, "per minute"), (3600, "per hour"), (86_400, "per day"))


def describe_rate_limit(*, requests: int, seconds: int) -> str:
    """The rate in the smallest unit with at least one request, and per day."""
    rate = requests / seconds
    length, unit = next(((n, unit) for n, unit in _UNITS if rate * n >= 1), _UNITS[-1])
    per_day = f"{rate * 86_400:,.0f} per day"
    if unit == "per day":
        return f"About {per_day}."
    return f"About {rate * length:,.0f} {unit}, or {per_day}."


def max_requests_per_day(chatbot: Chatbot) -> int:
    """The number of evenly spaced requests that the chatbot's rate limit allows in 24 hours."""
    return round(chatbot.rate_limit_requests * 86_400 / chatbot.rate_limit_window_seconds)


def count_turns_last_day(chatbot: Chatbot) -> int:
    """The chatbot's number of turns in the last 24 hours."""
    since = timezone.now() - timedelta(hours=24)
    return turns_since(chatbot.workspace_id, since).filter(chatbot=chatbot).count()
