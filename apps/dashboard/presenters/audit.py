"""Details of audit entries as text."""

from collections.abc import Iterable, Mapping
from typing import Any

LIST_DETAILS = {"changed", "fields", "scopes", "eventTypes"}
"""Details whose value is a list. In the others a pair is a change from one value to another."""


def describe_details(details: Mapping[str, Any]) -> str:
    """An entry's details, such as `role: member → admin, scopes: chat and read`."""
    return ", ".join(
        f"{name}: {_join(map(str, value))}"
        if name in LIST_DETAILS and isinstance(value, list)
        else f"{name}: {_format(value)}"
        for name, value in details.items()
    )


def _format(value: Any) -> str:
    match value:
        case [before, after]:
            return f"{_format(before)} → {_format(after)}"
        case list():
            return _join(map(_format, value))
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
    return str(value)


def _join(words: Iterable[str]) -> str:
    *others, last = [*words] or ["none"]
    return f"{', '.join(others)} and {last}" if others else last
