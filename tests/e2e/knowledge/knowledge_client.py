"""A client of the REST API's knowledge bases."""

from __future__ import annotations

import time
from typing import Any

import httpx

from apps.chatbots.models import Chatbot
from apps.workspaces.models import Workspace
from tests.factories import make_api_key
from tests.web_processes import SSL_CONTEXT, WebProcess

INDEXING_SECONDS = 60.0
"""After so long without an end, a test gives up."""


class KnowledgeClient:
    """Calls the API of one workspace with a key of its own."""

    def __init__(self, web: WebProcess, workspace: Workspace) -> None:
        self.key = make_api_key(workspace, ["chat", "read", "manage"])
        self._root = f"{web.url}/api/v1"
        self._headers = {"Authorization": f"Bearer {self.key}"}

    def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """The `data` of a success, or the body of an error."""
        response = httpx.request(
            method,
            f"{self._root}{path}",
            headers=self._headers,
            timeout=30,
            verify=SSL_CONTEXT,
            **options,
        )
        assert response.status_code == status, response.text
        return response.json()["data"] if status < 400 else response.json()

    def create_base(self, name: str = "Shop", **fields: Any) -> str:
        body = {"name": name, **fields}
        return str(self.call("POST", "/knowledge-bases", status=201, json=body)["id"])

    def add(self, base_id: str, **body: Any) -> str:
        """Add a source; its id."""
        path = f"/knowledge-bases/{base_id}/sources"
        return str(self.call("POST", path, status=202, json=body)["id"])

    def upload(self, base_id: str, name: str, body: bytes, content_type: str) -> str:
        """Add a file; the source's id."""
        path = f"/knowledge-bases/{base_id}/sources"
        files = {"file": (name, body, content_type)}
        return str(self.call("POST", path, status=202, files=files)["id"])

    def attach(self, chatbot: Chatbot, *base_ids: str) -> None:
        body = {"knowledgeBaseIds": list(base_ids)}
        self.call("PUT", f"/chatbots/{chatbot.id}/knowledge-bases", json=body)

    def source(self, source_id: str) -> dict[str, Any]:
        source: dict[str, Any] = self.call("GET", f"/sources/{source_id}")
        return source

    def documents(self, source_id: str) -> list[dict[str, Any]]:
        page = self.call("GET", f"/sources/{source_id}/documents?limit=100")
        documents: list[dict[str, Any]] = page["documents"]
        return documents

    def wait_until_indexed(self, *source_ids: str) -> list[dict[str, Any]]:
        """Wait until every source is ready or has failed; the sources."""
        deadline = time.monotonic() + INDEXING_SECONDS
        while True:
            sources = [self.source(source_id) for source_id in source_ids]
            if all(each["status"] in ("ready", "failed") for each in sources):
                return sources
            assert time.monotonic() < deadline, [each["status"] for each in sources]
            time.sleep(0.2)
