"""Webhook events of sources, written with the change that they report."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.services import SYSTEM
from apps.knowledge.models import Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.services import sources as services
from apps.webhooks.models import Event
from tests.factories import Team, make_webhook_endpoint
from tests.knowledge.knowledge_factory import make_knowledge_base


@pytest.fixture(autouse=True)
def no_other_sources(db: None) -> None:
    Source.objects.update(due_at=None)


def events_of(team: Team) -> list[tuple[str, dict[str, Any]]]:
    events = Event.objects.filter(workspace=team.workspace).order_by("created_at", "id")
    return [(event.type, event.data) for event in events]


def test_ready_and_failed_sources_are_reported(team: Team) -> None:
    make_webhook_endpoint(team.workspace, "source.ready", "source.failed")
    base = make_knowledge_base(team.workspace)
    source = services.add_text(base=base, title="Shipping", text="We ship daily.", actor=SYSTEM)
    index_sources(max_seconds=60)
    data = {
        "sourceId": source.id,
        "knowledgeBaseId": base.id,
        "type": "text",
        "title": "Shipping",
        "url": None,
        "status": "ready",
        "reason": None,
        "chunks": 1,
    }
    assert events_of(team) == [("source.ready", data)]
    services.update_source(source=source, actor=SYSTEM, changes={"text": "---"})
    index_sources(max_seconds=60)
    (_, failed) = events_of(team)
    reason = Source.objects.get(id=source.id).status_reason
    assert failed == ("source.failed", {**data, "status": "failed", "reason": reason})
    assert reason


def test_source_is_reported_to_nobody_without_an_endpoint(team: Team) -> None:
    base = make_knowledge_base(team.workspace)
    services.add_text(base=base, title="Shipping", text="We ship daily.", actor=SYSTEM)
    index_sources(max_seconds=60)
    assert events_of(team) == []


def test_canceled_source_is_not_reported(team: Team) -> None:
    make_webhook_endpoint(team.workspace, "source.ready", "source.failed")
    base = make_knowledge_base(team.workspace)
    source = services.add_text(base=base, title="Shipping", text="We ship daily.", actor=SYSTEM)
    services.cancel_indexing(source=source, actor=SYSTEM)
    assert events_of(team) == []
