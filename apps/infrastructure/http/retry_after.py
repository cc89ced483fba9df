"""Parse the header Retry-After of another server."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_DIGITS = 12


def parse_retry_after(headers: Mapping[str, str]) -> int | None:
    """The seconds of Retry-After, which is a number or a date; None without one that is valid."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return int(text.lstrip("0")[:_MAX_DIGITS] or "0")  # more digits are for ever, too
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": UTC
        date = date.replace(tzinfo=UTC)
    return max(0, math.ceil((date - datetime.now(UTC)).total_seconds()))
