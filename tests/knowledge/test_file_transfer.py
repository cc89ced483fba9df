"""Files go through a web process in both directions, unchanged."""

from __future__ import annotations

import httpx

from apps.knowledge.downloads import PART_BYTES
from apps.knowledge.models import Source
from tests.dashboard.page_client import login, page_path
from tests.factories import Team, make_api_key
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.web_processes import SSL_CONTEXT, WebProcess


def test_file_is_uploaded_and_downloaded(web: WebProcess, live_team: Team) -> None:
    base = make_knowledge_base(live_team.workspace)
    key = make_api_key(live_team.workspace, ["read", "manage"])
    body = bytes(range(256)) * (3 * PART_BYTES // 256) + b"the rest"
    with httpx.Client(
        base_url=f"{web.url}/api/v1/",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        verify=SSL_CONTEXT,
    ) as client:
        path = f"knowledge-bases/{base.id}/sources"
        created = client.post(path, files={"file": ("prices.bin", body)})
        assert created.status_code == 202, created.text
        source_id = created.json()["data"]["id"]
        downloaded = client.get(f"sources/{source_id}/file")
    Source.objects.filter(knowledge_base=base).update(due_at=None)
    assert downloaded.content == body
    session = login(live_team.alice).cookies["sessionid"].value
    from_page = httpx.get(
        web.url + page_path(live_team.workspace, f"knowledge/sources/{source_id}/file"),
        headers={"Cookie": f"sessionid={session}"},
        timeout=60,
        verify=SSL_CONTEXT,
    )
    assert (from_page.status_code, from_page.content) == (200, body)
