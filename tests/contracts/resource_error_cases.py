"""Requests that cause the error codes of keys, webhooks, versions and exports."""

from __future__ import annotations

from typing import Any

import httpx
from django.conf import settings

from apps.api_keys.models import ApiKey
from apps.api_keys.queries import hash_secret
from apps.api_keys.services import issue_key, revoke_key
from apps.chatbots.models import ChatbotVersion
from apps.conversations.exports.services import MAX_UNFINISHED_EXPORTS
from apps.core.ids import new_id
from apps.webhooks.models import DisabledReason
from apps.webhooks.services import MAX_ENDPOINTS, disable_endpoint, send_test
from tests.conversations.export_factory import make_pending_export
from tests.factories import (
    Team,
    make_api_key,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.web_processes import WebProcess


def send_request(
    web: WebProcess, team: Team, method: str, path: str, **options: Any
) -> httpx.Response:
    key = make_api_key(team.workspace, ["read", "manage"])
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, f"{web.url}/api/v1/{path}", headers=headers, **options)


def get_foreign_endpoint(web: WebProcess, team: Team) -> httpx.Response:
    theirs, _ = make_webhook_endpoint(team.other_workspace)
    return send_request(web, team, "GET", f"webhook-endpoints/{theirs.id}")


def get_foreign_delivery(web: WebProcess, team: Team) -> httpx.Response:
    theirs = send_test(endpoint=make_webhook_endpoint(team.other_workspace)[0])
    return send_request(web, team, "GET", f"webhook-deliveries/{theirs.id}")


def get_foreign_version(web: WebProcess, team: Team) -> httpx.Response:
    theirs = ChatbotVersion.objects.get(chatbot=make_chatbot(team.other_workspace))
    chatbot = make_chatbot(team.workspace)
    return send_request(web, team, "GET", f"chatbots/{chatbot.id}/versions/{theirs.id}")


def get_inactive_model(web: WebProcess, team: Team) -> httpx.Response:
    return send_request(
        web, team, "GET", f"language-models/{make_language_model(is_active=False).id}"
    )


def get_foreign_key(web: WebProcess, team: Team) -> httpx.Response:
    theirs, _ = issue_key(workspace=team.other_workspace, name="n")
    return send_request(web, team, "GET", f"api-keys/{theirs.id}")


def rotate_revoked_key(web: WebProcess, team: Team) -> httpx.Response:
    key, _ = issue_key(workspace=team.workspace, name="n", scopes=["read"])
    revoke_key(key=key)
    return send_request(web, team, "POST", f"api-keys/{key.id}/rotate", json={})


def create_too_many_keys(web: WebProcess, team: Team) -> httpx.Response:
    others = settings.MAX_API_KEYS - 1
    ApiKey.objects.bulk_create(
        ApiKey(workspace=team.workspace, name="n", scopes=["read"], digest=hash_secret(new_id()))
        for _ in range(others)
    )
    return send_request(web, team, "POST", "api-keys", json={"name": "n", "scopes": ["read"]})


def send_test_to_disabled_endpoint(web: WebProcess, team: Team) -> httpx.Response:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    disable_endpoint(endpoint=endpoint, reason=DisabledReason.OWNER)
    return send_request(web, team, "POST", f"webhook-endpoints/{endpoint.id}/test")


def create_too_many_endpoints(web: WebProcess, team: Team) -> httpx.Response:
    for _ in range(MAX_ENDPOINTS):
        make_webhook_endpoint(team.workspace)
    body = {"url": "https://hooks.example.com/", "eventTypes": ["lead.created"]}
    return send_request(web, team, "POST", "webhook-endpoints", json=body)


def get_foreign_export(web: WebProcess, team: Team) -> httpx.Response:
    return send_request(
        web, team, "GET", f"conversation-exports/{make_pending_export(team.other_workspace).id}"
    )


def download_unfinished_export(web: WebProcess, team: Team) -> httpx.Response:
    path = f"conversation-exports/{make_pending_export(team.workspace).id}/download"
    return send_request(web, team, "GET", path)


def create_too_many_exports(web: WebProcess, team: Team) -> httpx.Response:
    for _ in range(MAX_UNFINISHED_EXPORTS):
        make_pending_export(team.workspace)
    return send_request(web, team, "POST", "conversation-exports", json={"format": "csv"})
