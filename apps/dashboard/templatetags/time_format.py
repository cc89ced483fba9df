"""Template filters for times and user agents."""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone

from apps.core import dates

register = template.Library()
register.filter("usable_to", dates.usable_to)

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@register.filter
def ago(time: datetime | None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 d ago`; the date after a week; empty for None."""
    if time is None:
        return ""
    age = timezone.now() - time
    if age < _MINUTE:
        return "just now"
    for unit, label, limit in ((_MINUTE, "min", _HOUR), (_HOUR, "h", _DAY), (_DAY, "d", 7 * _DAY)):
        if age < limit:
            return f"{age // unit} {label} ago"
    return f"{time.day} {time.astimezone(UTC):%b %Y}"


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
    """`Firefox on Linux`, or the start of an unknown user agent."""
    name = next((name for token, name in _BROWSERS if token in user_agent), "")
    system = next((name for token, name in _SYSTEMS if token in user_agent), "")
    return f"{name} on {system}" if name and system else name or user_agent[:60] or "unknown"
