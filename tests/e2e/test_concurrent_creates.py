"""Twenty creates at once with one Idempotency-Key, over two processes: one object, one answer."""

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

AT_ONCE = 20

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
"""Where to create, what to send, which rows that makes, and the status of success."""


@pytest.mark.parametrize("path", CREATES)
def test_creates_at_once_under_one_key_make_one_object(
    path: str, web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    body_of, model, named, status = CREATES[path]
    workspace = live_team.workspace
    body = body_of(workspace)
    headers = {
        "Authorization": f"Bearer {make_api_key(workspace, ['read', 'manage'])}",
        "Idempotency-Key": new_id(),
    }

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(verify=SSL_CONTEXT, limits=limits, timeout=60) as client:
            urls = [f"{web_pair[number % 2].url}/api/v1/{path}" for number in range(AT_ONCE)]
            return await asyncio.gather(
                *(client.post(url, json=body, headers=headers) for url in urls)
            )

    answers = asyncio.run(send())
    assert [answer.status_code for answer in answers] == [status] * AT_ONCE
    (row,) = model.objects.filter(workspace=workspace, **named)
    assert {answer.json()["data"]["id"] for answer in answers} == {row.id}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert sorted(map(str, replayed)) == ["None", *["true"] * (AT_ONCE - 1)]
