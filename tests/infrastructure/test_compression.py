from __future__ import annotations

import gzip

import pytest
from django.test import Client

from tests.factories import Team

PACKED = {"Accept-Encoding": "br, gzip"}


def test_page_leaves_packed_for_those_who_can_unpack_it(client: Client, db: None) -> None:
    plain, packed = client.get("/login"), client.get("/login", headers=PACKED)
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 2
    assert b"</html>" in gzip.decompress(packed.content)


@pytest.mark.parametrize("page", ["leads.csv", "audit.csv"])
def test_stream_is_not_held_back_by_packing(client: Client, team: Team, page: str) -> None:
    client.force_login(team.alice)
    response = client.get(f"/w/{team.workspace.slug}/{page}", headers=PACKED)
    assert response.status_code == 200
    assert response.streaming
    assert "Content-Encoding" not in response
