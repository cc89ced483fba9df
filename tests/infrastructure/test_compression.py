from __future__ import annotations

import gzip

import pytest
from django.test import Client

from tests.factories import Team

ACCEPT_GZIP = {"Accept-Encoding": "br, gzip"}


def test_page_is_compressed_if_the_client_accepts_it(client: Client, db: None) -> None:
    plain, compressed = client.get("/login"), client.get("/login", headers=ACCEPT_GZIP)
    assert "Content-Encoding" not in plain
    assert compressed["Content-Encoding"] == "gzip"
    assert len(compressed.content) < len(plain.content) / 2
    assert b"</html>" in gzip.decompress(compressed.content)


@pytest.mark.parametrize("page", ["leads.csv", "audit.csv"])
def test_streaming_response_is_not_compressed(client: Client, team: Team, page: str) -> None:
    client.force_login(team.alice)
    response = client.get(f"/w/{team.workspace.slug}/{page}", headers=ACCEPT_GZIP)
    assert response.status_code == 200
    assert response.streaming
    assert "Content-Encoding" not in response
