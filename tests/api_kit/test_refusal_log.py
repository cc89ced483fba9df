"""Notes of requests that came to nothing: kept by workspace, bounded, never in the way."""

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


def note(**fields: Any) -> RefusedRequest:
    given: dict[str, Any] = {
        "request_id": new_request_id(),
        "at": time.time(),
        "method": "POST",
        "path": "/api/v1/chatbots/c/chat",
        "status": 429,
        "code": "RATE_LIMIT_EXCEEDED",
    }
    return RefusedRequest(**given | fields)


def test_notes_are_read_by_their_own_workspace_alone() -> None:
    mine, theirs = new_id(), new_id()
    first, second = note(), note(details={"message": ["The message is empty."]})
    log_refused_request(mine, first)
    log_refused_request(mine, second)
    assert refused_requests_for(mine) == [second, first]
    assert find_refused_request(mine, first.request_id) == first
    assert (refused_requests_for(theirs), find_refused_request(theirs, first.request_id)) == (
        [],
        None,
    )


def test_notes_go_by_themselves() -> None:
    workspace_id = new_id()
    log_refused_request(workspace_id, note())
    left = blocking_redis_client().ttl(f"parley:requests:{workspace_id}")
    assert 0 < int(left) <= RETENTION.total_seconds()


async def test_flood_loses_its_oldest_notes() -> None:
    workspace_id = new_id()
    notes = [note() for _ in range(600)]
    for each in notes:
        log_refused_request(workspace_id, each)
    await flush()
    assert refused_requests_for(workspace_id) == notes[:-501:-1]


def test_only_the_newest_thousand_or_so_are_kept() -> None:
    workspace_id = new_id()
    for _ in range(1300):
        log_refused_request(workspace_id, note())
    newest = note()
    log_refused_request(workspace_id, newest)
    kept = blocking_redis_client().xlen(f"parley:requests:{workspace_id}")
    assert 1000 <= int(kept) < 1200
    assert refused_requests_for(workspace_id, limit=1) == [newest]


def test_what_was_written_is_cut() -> None:
    error = ValidationFailed({f"field{n}" + "x" * 500: ["y" * 500] for n in range(50)})
    made = RefusedRequest.from_error(error, request_id="r", method="POST", path="/" + "z" * 5000)
    assert made.details is not None
    assert (len(made.path), len(made.details)) == (1000, 10)
    assert {len(name) for name in made.details} == {100}
    assert {len(said) for (said,) in made.details.values()} == {200}
