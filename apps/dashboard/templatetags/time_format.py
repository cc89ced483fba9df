"""Moments and browsers as a page tells them: in a word, with the exact one a hover away."""

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


_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


@register.filter
def browser(user_agent: str) -> str:
    """`Firefox on Linux`; what a program calls itself, where it is no browser that we know."""
    name = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{name} on {system}" if name and system else name or user_agent[:60] or "unknown"
