"""A program that holds a key, at the REST API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from django.test import Client

from apps.workspaces.models import Workspace
from tests.factories import make_key

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

Response: TypeAlias = "_MonkeyPatchedWSGIResponse"


class Api:
    """`api("GET", "/credits")` answers with the `data` of a success or the body of an error."""

    def __init__(self, workspace: Workspace, *scopes: str, key: str | None = None) -> None:
        self.key = key or make_key(workspace, scopes or ("read", "manage"))

    def send(
        self, method: str, path: str, body: Any = None, *, query: Any = None, **headers: str
    ) -> Response:
        """The whole response. A body that is text or bytes is sent as it is."""
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client().generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else content,
            content_type=named.pop("content-type", "application/json"),
            query_params=query,
            headers={"authorization": f"Bearer {self.key}", **named},
        )

    def __call__(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any
    ) -> dict[str, Any]:
        response = self.send(method, path, body, query=query)
        assert response.status_code == status, response.content
        answer: dict[str, Any] = json.loads(response.content)
        assert answer["success"] is (status < 400)
        data: dict[str, Any] = answer["data"] if status < 400 else answer
        return data
