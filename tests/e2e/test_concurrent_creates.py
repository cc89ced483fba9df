"""Twenty concurrent creates with one Idempotency-Key over two processes create one object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from apps.api_keys.models import ApiKey
from apps.chatbots.models import Chatbot
from apps.conversations.models.export import Export
from apps.core.ids import new_id
from apps.leads.models import Lead
from apps.webhooks.models import Endpoint
from apps.workspaces.models import Workspace
from tests.factories import Team, make_api_key, make_chatbot, make_language_model
from tests.web_processes import SSL_CONTEXT, WebProcess

CONCURRENT_REQUESTS = 20

Body = Callable[[Workspace], dict[str, Any]]


def new_chatbot(workspace: Workspace) -> dict[str, Any]:
    return {"name": "Twin", "languageModelId": make_language_model().id}


def new_lead(workspace: Workspace) -> dict[str, Any]:
    chatbot = make_chatbot(workspace, name="Host")
    return {"chatbotId": chatbot.id, "name": "Ana", "email": "ana@example.com"}


def new_export(workspace: Workspace) -> dict[str, Any]:
    return {"format": "csv"}


def new_key(workspace: Workspace) -> dict[str, Any]:
    return {"name": "Twin", "scopes": ["read"]}


def new_endpoint(workspace: Workspace) -> dict[str, Any]:
    return {"url": "https://hooks.example.com/", "eventTypes": ["lead.created"]}


CREATES: dict[str, tuple[Body, Any, dict[str, str], int]] = {
    "chatbots": (new_chatbot, Chatbot, {"name": "Twin"}, 201),
    "leads": (new_lead, Lead, {}, 201),
    "conversation-exports": (new_export, Export, {}, 202),
    "api-keys": (new_key, ApiKey, {"name": "Twin"}, 201),
    "webhook-endpoints": (new_endpoint, Endpoint, {}, 201),
}
"""By path: the body, the model and filter of the created row, and the status of success."""


@pytest.mark.parametrize("path", CREATES)
def test_concurrent_creates_with_one_key_create_one_object(
    path: str, web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    make_body, model, row_filter, status = CREATES[path]
    workspace = live_team.workspace
    body = make_body(workspace)
    headers = {
        "Authorization": f"Bearer {make_api_key(workspace, ['read', 'manage'])}",
        "Idempotency-Key": new_id(),
    }

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(verify=SSL_CONTEXT, limits=limits, timeout=60) as client:
            urls = [
                f"{web_pair[number % 2].url}/api/v1/{path}" for number in range(CONCURRENT_REQUESTS)
            ]
            return await asyncio.gather(
                *(client.post(url, json=body, headers=headers) for url in urls)
            )

    responses = asyncio.run(send())
    assert [response.status_code for response in responses] == [status] * CONCURRENT_REQUESTS
    (row,) = model.objects.filter(workspace=workspace, **row_filter)
    assert {response.json()["data"]["id"] for response in responses} == {row.id}
    assert len({response.content for response in responses}) == 1
    replayed = [response.headers.get("Idempotent-Replayed") for response in responses]
    assert sorted(map(str, replayed)) == ["None", *["true"] * (CONCURRENT_REQUESTS - 1)]
