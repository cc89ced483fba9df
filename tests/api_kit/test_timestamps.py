"""Moments that a caller names, wherever one may be named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_kit.rest_client import Api
from tests.factories import Team

MOMENTS = ["2099-11-26T09:30:00Z", "2099-11-26T09:30:00.25+05:30"]
WRONG = ["0.5", "1764149400", "2099-11-26", "2099-11-26T09:30:00", "tomorrow", ""]


def answers(api: Api, moment: Any) -> list[int]:
    """To a query and to two bodies that name it."""
    sent = [
        api.send("GET", "/conversations", query={"to": moment}),
        api.send("POST", "/conversation-exports", {"format": "csv", "to": moment}),
        api.send("POST", "/api-keys", {"name": "x", "scopes": ["read"], "expiresAt": moment}),
    ]
    return [each.status_code for each in sent]


@pytest.mark.parametrize("moment", MOMENTS)
def test_moment_with_its_offset_is_taken(team: Team, moment: str) -> None:
    assert answers(Api(team.workspace), moment) == [200, 202, 201]


@pytest.mark.parametrize("moment", [*WRONG, 4102444800])
def test_anything_else_is_refused(team: Team, moment: Any) -> None:
    assert answers(Api(team.workspace), moment) == [400, 400, 400]
