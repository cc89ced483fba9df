"""The log of refused requests in Redis."""

from __future__ import annotations

import time
from typing import Any

from apps.api_kit.refusal_log import (
    RETENTION,
    RefusedRequest,
    find_refused_request,
    flush,
    log_refused_request,
    refused_requests_for,
)
from apps.core.errors import ValidationFailed
from apps.core.ids import new_id, new_request_id
from apps.infrastructure.redis.clients import blocking_redis_client


def make_entry(**fields: Any) -> RefusedRequest:
    defaults: dict[str, Any] = {
        "request_id": new_request_id(),
        "at": time.time(),
        "method": "POST",
        "path": "/api/v1/chatbots/c/chat",
        "status": 429,
        "code": "RATE_LIMIT_EXCEEDED",
    }
    return RefusedRequest(**defaults | fields)


def test_entries_are_separate_by_workspace() -> None:
    mine, theirs = new_id(), new_id()
    first, second = make_entry(), make_entry(details={"message": ["The message is empty."]})
    log_refused_request(mine, first)
    log_refused_request(mine, second)
    assert refused_requests_for(mine) == [second, first]
    assert find_refused_request(mine, first.request_id) == first
    assert (refused_requests_for(theirs), find_refused_request(theirs, first.request_id)) == (
        [],
        None,
    )


def test_entries_expire() -> None:
    workspace_id = new_id()
    log_refused_request(workspace_id, make_entry())
    ttl = blocking_redis_client().ttl(f"parley:requests:{workspace_id}")
    assert 0 < int(ttl) <= RETENTION.total_seconds()


async def test_full_queue_drops_oldest_entries() -> None:
    workspace_id = new_id()
    entries = [make_entry() for _ in range(600)]
    for each in entries:
        log_refused_request(workspace_id, each)
    await flush()
    assert refused_requests_for(workspace_id) == entries[:-501:-1]


def test_log_is_limited_to_newest_entries() -> None:
    workspace_id = new_id()
    for _ in range(1300):
        log_refused_request(workspace_id, make_entry())
    newest = make_entry()
    log_refused_request(workspace_id, newest)
    count = blocking_redis_client().xlen(f"parley:requests:{workspace_id}")
    assert 1000 <= int(count) < 1200
    assert refused_requests_for(workspace_id, limit=1) == [newest]


def test_long_texts_are_truncated() -> None:
    error = ValidationFailed({f"field{n}" + "x" * 500: ["y" * 500] for n in range(50)})
    entry = RefusedRequest.from_error(error, request_id="r", method="POST", path="/" + "z" * 5000)
    assert entry.details is not None
    assert (len(entry.path), len(entry.details)) == (1000, 10)
    assert {len(name) for name in entry.details} == {100}
    assert {len(text) for (text,) in entry.details.values()} == {200}
