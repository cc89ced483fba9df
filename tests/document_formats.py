"""What schemathesis needs to know of the API: values of the document's own formats, and which
requests would end it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_word = st.text(_LETTERS, min_size=1, max_size=20)
schemathesis.openapi.format("email", _word.map("{}@example.com".format))
schemathesis.openapi.format(
    "phone", st.integers(0, 999).map(lambda number: f"+442079460{number:03}")
)


schemathesis.openapi.format("webhook-url", _word.map("https://hooks.example.com/{}".format))


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Who revokes its own key, or lets it expire, is refused from then on, and rightly so."""
    return (case.path_parameters or {}).get("apiKeyId") != os.environ["FUZZ_KEY_ID"]


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], _options: dict[str, Any]
) -> None:
    """What the document says in words, because no schema can."""
    body = case.body
    if not isinstance(body, dict):
        return
    if "metadata" in body:
        body["metadata"] = _keepable(body["metadata"])
    if _is_past(body.get("expiresAt")):
        body["expiresAt"] = "2999-01-01T00:00:00Z"
    protocols = [*(case.headers or {}).values(), *(case.query or {}).values()]
    if body.get("stream") is False and "ai-sdk" in protocols:
        body["stream"] = True


def _keepable(value: Any) -> Any:
    """JSON without the character NUL, which PostgreSQL cannot keep."""
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_keepable(each) for each in value]
        case dict():
            return {_keepable(name): _keepable(each) for name, each in value.items()}
        case _:
            return value


def _is_past(moment: object) -> bool:
    try:
        return datetime.fromisoformat(str(moment)) < datetime.now(UTC)
    except (ValueError, TypeError):
        return False
