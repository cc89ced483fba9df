"""A receiver, an endpoint that sends to it, and nothing else that is due."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.webhooks.models import Delivery, Endpoint
from tests.factories import Team, make_webhook_endpoint
from tests.receiver import Receiver


@pytest.fixture
def nothing_else_is_due(request: pytest.FixtureRequest) -> None:
    """Senders look at all workspaces: what tests that committed have left would be sent too."""
    request.getfixturevalue("committed" if "live_team" in request.fixturenames else "db")
    Delivery.objects.all().delete()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def endpoint(team: Team, receiver: Receiver) -> Endpoint:
    return make_webhook_endpoint(team.workspace, url=receiver.url)[0]
