"""A workspace's REST client and its empty knowledge base."""

from __future__ import annotations

from typing import Any

import pytest

from apps.knowledge.models import Source
from tests.api_kit.rest_client import Api
from tests.factories import Team


@pytest.fixture(autouse=True)
def no_other_sources(db: None) -> None:
    """Make the sources that committed tests have left not due, until the rollback."""
    Source.objects.update(due_at=None)


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


@pytest.fixture
def base(api: Api) -> dict[str, Any]:
    created: dict[str, Any] = api("POST", "/knowledge-bases", {"name": "Shop"}, status=201)
    return created
