"""Sources of web sites on loopback, and what indexing makes of them."""

from __future__ import annotations

import pytest

from apps.knowledge.models import KnowledgeBase, Source
from tests.factories import Team
from tests.knowledge.fetching.conftest import open_site
from tests.knowledge.knowledge_factory import make_knowledge_base

__all__ = ["open_site"]


@pytest.fixture(autouse=True)
def no_other_sources(request: pytest.FixtureRequest) -> None:
    """Make the sources that committed tests have left not due."""
    request.getfixturevalue("committed" if "live_team" in request.fixturenames else "db")
    Source.objects.update(due_at=None)


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    return make_knowledge_base(team.workspace)
