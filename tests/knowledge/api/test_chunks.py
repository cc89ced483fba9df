"""REST endpoints of chunks."""

from __future__ import annotations

from typing import Any

from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.queries import live_chunks
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot
from tests.knowledge.api.api_helpers import add_text
from tests.knowledge.knowledge_factory import make_knowledge


def test_chunk_is_read_while_it_is_found(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    index_sources(max_seconds=60)
    (chunk,) = api("GET", f"/sources/{source['id']}/chunks")["chunks"]
    path = f"/chunks/{chunk['id']}"
    assert api("GET", path) == chunk
    api("DELETE", f"/sources/{source['id']}")
    assert api("GET", path, status=404)["code"] == "CHUNK_NOT_FOUND"


def test_foreign_chunk_is_absent(api: Api, team: Team) -> None:
    theirs = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    path = f"/chunks/{live_chunks(theirs).get().id}"
    assert api("GET", path, status=404)["code"] == "CHUNK_NOT_FOUND"
