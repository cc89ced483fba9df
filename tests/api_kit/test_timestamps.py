"""Timestamps in queries and bodies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_kit.rest_client import Api
from tests.factories import Team

VALID = ["2099-11-26T09:30:00Z", "2099-11-26T09:30:00.25+05:30"]
INVALID = ["0.5", "1764149400", "2099-11-26", "2099-11-26T09:30:00", "tomorrow", ""]


def statuses(api: Api, timestamp: Any) -> list[int]:
    """The statuses of a query and of two bodies with the timestamp."""
    sent = [
        api.send("GET", "/conversations", query={"to": timestamp}),
        api.send("POST", "/conversation-exports", {"format": "csv", "to": timestamp}),
        api.send("POST", "/api-keys", {"name": "x", "scopes": ["read"], "expiresAt": timestamp}),
    ]
    return [each.status_code for each in sent]


@pytest.mark.parametrize("timestamp", VALID)
def test_timestamp_with_offset_is_accepted(team: Team, timestamp: str) -> None:
    assert statuses(Api(team.workspace), timestamp) == [200, 202, 201]


@pytest.mark.parametrize("timestamp", [*INVALID, 4102444800])
def test_other_timestamps_are_refused(team: Team, timestamp: Any) -> None:
    assert statuses(Api(team.workspace), timestamp) == [400, 400, 400]
