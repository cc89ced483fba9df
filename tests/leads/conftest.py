from __future__ import annotations

import pytest

from tests.factories import make_webhook_endpoint


@pytest.fixture(autouse=True)
def webhook_endpoint(request: pytest.FixtureRequest) -> None:
    """Give the team's workspace an endpoint: without one, no events are stored."""
    for name in {"team", "live_team"} & set(request.fixturenames):
        make_webhook_endpoint(request.getfixturevalue(name).workspace)
