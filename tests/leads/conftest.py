from __future__ import annotations

import pytest

from tests.factories import make_endpoint


@pytest.fixture(autouse=True)
def somebody_listens(request: pytest.FixtureRequest) -> None:
    """The team's workspace has an endpoint: without one, nothing is written of what happens."""
    for name in {"team", "live_team"} & set(request.fixturenames):
        make_endpoint(request.getfixturevalue(name).workspace)
