"""Moments as a page tells them: how long ago, with the exact time a hover away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone

register = template.Library()

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@register.filter
def ago(moment: datetime | None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 d ago`; after a week the day; empty for no moment."""
    if moment is None:
        return ""
    past = timezone.now() - moment
    if past < _MINUTE:
        return "just now"
    for unit, word, most in ((_MINUTE, "min", _HOUR), (_HOUR, "h", _DAY), (_DAY, "d", 7 * _DAY)):
        if past < most:
            return f"{past // unit} {word} ago"
    return f"{moment.day} {moment.astimezone(UTC):%b %Y}"
