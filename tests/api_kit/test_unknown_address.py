"""Wrong addresses of the API: served if plainly meant, else a 404 that names the right one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from django.test import Client

from apps.api_kit.unknown_address import nearest_address
from apps.core.errors import NotFound
from tests.factories import Team, make_api_key, make_chatbot
from tests.web_processes import WebProcess

ID = "c0mx0hjvpwv71nbd5adjsyty2"
NOTHING = NotFound.message


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/v1/openai/v1/chat/completions", "/api/v1/openai/chat/completions"),
        ("/api/openai/chat/completions", "/api/v1/openai/chat/completions"),
        ("/api/v1/chat/completions", "/api/v1/openai/chat/completions"),
        ("/v1/chat/completions", "/api/v1/openai/chat/completions"),
        ("/api/v1/openai/chat/completion", "/api/v1/openai/chat/completions"),
        ("/api/v1/openai/completions", "/api/v1/openai/chat/completions"),
        ("/api/v1/models", "/api/v1/openai/models"),
        (f"/api/chatbots/{ID}/chat", f"/api/v1/chatbots/{ID}/chat"),
        (f"/api/v1/chatbot/{ID}/chat/", f"/api/v1/chatbots/{ID}/chat"),
        (f"/api/v1/Chatbots/{ID}/Chat", f"/api/v1/chatbots/{ID}/chat"),
        ("/api/v1/chatbots/my-bot/chat/", "/api/v1/chatbots/{chatbotId}/chat"),
        (f"/api/v1/lead/{ID}", f"/api/v1/leads/{ID}"),
        ("/api/v1/webhook_endpoints", "/api/v1/webhook-endpoints"),
        ("/api/v1/webhookendpoints/", "/api/v1/webhook-endpoints"),
        ("/api/v1/conversation-export", "/api/v1/conversation-exports"),
        (f"/api/v2/conversations/{ID}/messages", f"/api/v1/conversations/{ID}/messages"),
        ("/api", "/api/v1/openapi.json"),
        ("/api/v1/v1", "/api/v1/openapi.json"),
        ("/api/v1/nothing", None),
        (f"/api/v1/{ID}", None),
        (f"/api/v1/chatbots/{'x' * 300}/chat", None),
    ],
)
def test_nearest_address_is_what_was_meant(path: str, address: str | None) -> None:
    assert nearest_address(path) == address


def send(web: WebProcess, path: str, key: str, body: Any, method: str = "POST") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, web.url + path, json=body, headers=headers, timeout=30)


def test_address_with_extra_slash_or_base_is_served(web: WebProcess, live_team: Team) -> None:
    chatbot, key = make_chatbot(live_team.workspace), make_api_key(live_team.workspace)
    native = {"message": "Hi", "stream": False}
    openai = {"model": chatbot.id, "messages": [{"role": "user", "content": "Hi"}]}
    for path, body in {
        f"/api/v1/chatbots/{chatbot.id}/chat/": native,
        f"/api/v1//chatbots/{chatbot.id}//chat": native,
        f"/api/v1/api/v1/chatbots/{chatbot.id}/chat": native,
        "/api/v1/openai/v1/chat/completions": openai,
        "/api/v1/openai/v1/chat/completions/": openai,
        "/api/v1/openai/chat/completions/": openai,
        "/api/v1/openai//chat/completions": openai,
        "/api/v1/openai/api/v1/openai/chat/completions": openai,
    }.items():
        answer = send(web, path, key, body)
        assert (answer.status_code, "Echo: Hi" in answer.text) == (200, True), path
    models = send(web, "/api/v1/openai/v1/models", key, None, "GET").json()
    assert [model["id"] for model in models["data"]] == [chatbot.id]
    refused = send(web, "/api/v1/openai/v1/chat/completions", "sk-wrong", openai)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_API_KEY")


def test_unknown_address_names_the_right_one_in_the_protocols_format(web: WebProcess) -> None:
    meant = f"{NOTHING} Did you mean /api/v1/openai/chat/completions?"
    for path in (
        "/api/v1/openai/completions",
        "/api/openai/v1/chat/completions",
        "/v1/chat/completions",
        "/chat/completions",
    ):
        answer = httpx.post(web.url + path, json={})
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == meant
        assert answer.headers["X-Request-Id"].startswith("req_")
    for path in ("/v1/models", "/openai/models", "/api/openai/models/"):
        error = httpx.get(web.url + path).json()["error"]
        assert error["message"] == f"{NOTHING} Did you mean /api/v1/openai/models?"
    for path, problem in {
        "/api/v1/lead": f"{NOTHING} Did you mean /api/v1/leads?",
        "/api/v1/leads/": f"{NOTHING} Did you mean /api/v1/leads?",
        "/api/v1/nothing": NOTHING,
        "/api": f"{NOTHING} Did you mean /api/v1/openapi.json?",
        "/v1/leads": f"{NOTHING} Did you mean /api/v1/leads?",
        f"/v1/chatbots/{ID}/chat": f"{NOTHING} Did you mean /api/v1/chatbots/{ID}/chat?",
        f"//api/v1/leads/{ID}": f"{NOTHING} Did you mean /api/v1/leads/{ID}?",
    }.items():
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            answer = httpx.request(method, web.url + path)
            body = {"success": False, "error": problem, "code": "NOT_FOUND"}
            assert (answer.status_code, answer.json()) == (404, body)


def test_unknown_address_is_the_same_without_a_socket(db: None) -> None:
    answer = Client().post("/api/v1/leads/", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_wrong_method_names_the_right_ones(web: WebProcess) -> None:
    for path in ("/api/v1/openai/chat/completions", f"/api/v1/chatbots/{ID}/chat"):
        answer = httpx.get(web.url + path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert "It takes POST." in answer.text
