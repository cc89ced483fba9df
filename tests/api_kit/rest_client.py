"""A REST API client with an API key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from django.test import Client

from apps.workspaces.models import Workspace
from tests.factories import make_api_key

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

Response: TypeAlias = "_MonkeyPatchedWSGIResponse"


class Api:
    """`api("GET", "/credits")` returns the `data` of a success or the body of an error."""

    def __init__(self, workspace: Workspace, *scopes: str, key: str | None = None) -> None:
        self.key = key or make_api_key(workspace, scopes or ("read", "manage"))

    def send(
        self, method: str, path: str, body: Any = None, *, query: Any = None, **headers: str
    ) -> Response:
        """Return the response. Text and bytes are sent unchanged, other bodies as JSON."""
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client().generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else content,
            content_type=extra.pop("content-type", "application/json"),
            query_params=query,
            headers={"authorization": f"Bearer {self.key}", **extra},
        )

    def __call__(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any
    ) -> dict[str, Any]:
        response = self.send(method, path, body, query=query)
        assert response.status_code == status, response.content
        content: dict[str, Any] = json.loads(response.content)
        assert content["success"] is (status < 400)
        data: dict[str, Any] = content["data"] if status < 400 else content
        return data
