"""A webhook receiver and an endpoint that sends to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.webhooks.models import Delivery, Endpoint
from tests.factories import Team, make_webhook_endpoint
from tests.webhook_receiver import Receiver


@pytest.fixture
def no_other_deliveries(request: pytest.FixtureRequest) -> None:
    """Delete deliveries that committed tests have left: workers send those of all workspaces."""
    request.getfixturevalue("committed" if "live_team" in request.fixturenames else "db")
    Delivery.objects.all().delete()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def endpoint(team: Team, receiver: Receiver) -> Endpoint:
    return make_webhook_endpoint(team.workspace, url=receiver.url)[0]
